"""The other objectives, beside ELECTRA's in objective.py: the paper's ablations (section 3.4), BERT's, and Electric's.

    mlm                  BERT's: one network predicts what was hidden
    electra_masked_only  "ELECTRA 15%": the discriminator is asked about the masked positions only
    replace_mlm          the main network predicts what was hidden, and sees samples in the place of [MASK]
    all_tokens_mlm       as replace_mlm, but it predicts every token, and may copy what it sees
    electric             the main network's answer is the energy of each token, learned against two towers' probabilities

Each has electra_loss's signature. Of what it is called with, the second is the main network, and it is asked

    electra_masked_only, electric   (corrupted ids (B, L), batch) -> logits (B, L)
    replace_mlm                     (corrupted ids (B, L), batch, positions (B, M)) -> logits (B, M, V)
    all_tokens_mlm                  (corrupted ids (B, L), batch) -> logits (B, L, V) and, above 0 for "replaced", (B, L)

Two towers read the text unmasked, one from each side, and name each token from the others: they are asked by `cloze` in the
place of `guess`, for any objective with a generator. Shapes: B rows, L positions, M masked slots, V vocabulary.
Sources: Clark et al., 2020, "ELECTRA"; Clark et al., 2020, "Pre-Training Transformers as Energy-Based Cloze Models";
google-research/electra, pretrain/run_pretraining.py.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from electra.batch import Array, Batch, Masked
from electra.objective import (
    Discriminator,
    Generator,
    Guess,
    ObjectiveSettings,
    Outcome,
    Totals,
    corrupt,
    electra_loss,
    guess,
    mean,
    sample,
)

Guesser = Callable[..., Guess]
Predictor = Callable[[Array, Batch, Array], Array]
Copier = Callable[[Array, Batch], tuple[Array, Array]]


def mlm_loss(
    generator: Generator, _: Any, batch: Batch, masked: Masked, settings: ObjectiveSettings, ops: Any,
    totals: Totals | None = None,
) -> Outcome:  # fmt: skip
    """BERT's objective on the same batches: predict what was hidden, nothing else. `generator` is the model of full size."""
    log_probabilities = ops.log_softmax(generator(masked.input_ids, batch, masked.positions))  # (B, M, V)
    loss = mean(-ops.take(log_probabilities, masked.original_ids), masked.weights, totals and totals.predictions)
    return Outcome(loss=settings.generator_weight * loss, mlm_loss=loss, mlm_log_probabilities=log_probabilities)


def electra_masked_only_loss(
    generator: Generator, discriminator: Discriminator, batch: Batch, masked: Masked, settings: ObjectiveSettings, ops: Any,
    totals: Totals | None = None, guess: Guesser = guess,
) -> Outcome:  # fmt: skip
    """ELECTRA with the discriminator's loss over the masked positions only: what asking about all the others is worth."""
    guessed = guess(generator, batch, masked, settings, ops, totals)
    corrupted_ids, is_replaced = corrupt(batch.input_ids, masked.positions, guessed.sampled_ids, masked.weights, ops)
    logits = discriminator(corrupted_ids, batch)  # (B, L)
    errors = ops.binary_cross_entropy(logits, ops.to_float(is_replaced))
    judged = ops.to_float(draws(batch, masked, ops))
    discriminator_loss = mean(errors, judged, totals and totals.predictions)
    return Outcome(
        loss=settings.generator_weight * guessed.loss + settings.discriminator_weight * discriminator_loss,
        mlm_loss=guessed.mlm_loss, mlm_log_probabilities=guessed.log_probabilities, cloze_loss=guessed.cloze_loss,
        discriminator_loss=discriminator_loss, sampled_ids=guessed.sampled_ids, corrupted_ids=corrupted_ids,
        is_replaced=is_replaced, judged=judged, is_right=(logits > 0) == is_replaced,
        discriminator_logits=logits,
    )  # fmt: skip


def replace_mlm_loss(
    generator: Generator, predictor: Predictor, batch: Batch, masked: Masked, settings: ObjectiveSettings, ops: Any,
    totals: Totals | None = None, guess: Guesser = guess,
) -> Outcome:  # fmt: skip
    """BERT's objective without [MASK]: the hidden tokens are predicted from a text in which samples stand in their place."""
    guessed = guess(generator, batch, masked, settings, ops, totals)
    corrupted_ids, is_replaced = corrupt(batch.input_ids, masked.positions, guessed.sampled_ids, masked.weights, ops)
    log_probabilities = ops.log_softmax(predictor(corrupted_ids, batch, masked.positions))  # (B, M, V)
    errors = -ops.take(log_probabilities, masked.original_ids)  # (B, M)
    loss = mean(errors, masked.weights, totals and totals.predictions)
    is_right = ops.to_float(ops.argmax(log_probabilities) == masked.original_ids)
    hits = draws(batch, masked, ops)  # (B, L)

    def in_row(values: Array) -> Array:  # (B, M) -> (B, L)
        return ops.scatter_add(ops.to_float(hits), masked.positions, values * masked.weights)

    return Outcome(
        loss=settings.generator_weight * guessed.loss + settings.prediction_weight * loss,
        mlm_loss=guessed.mlm_loss, mlm_log_probabilities=guessed.log_probabilities, cloze_loss=guessed.cloze_loss,
        prediction_loss=loss, sampled_ids=guessed.sampled_ids, corrupted_ids=corrupted_ids, is_replaced=is_replaced,
        judged=ops.to_float(hits), is_right=in_row(is_right) > 0,
        prediction_errors=in_row(errors),
    )  # fmt: skip


def all_tokens_mlm_loss(
    generator: Generator, predictor: Copier, batch: Batch, masked: Masked, settings: ObjectiveSettings, ops: Any,
    totals: Totals | None = None, guess: Guesser = guess,
) -> Outcome:  # fmt: skip
    """Name every token of the original text from the corrupted one, by copying what stands there or by the vocabulary.

    With the chance c of copying, token w has probability c [w stands there] + (1 - c) softmax(w). `c` is the sigmoid of minus
    the logits of "replaced", so that they mean the same as a discriminator's.
    """
    guessed = guess(generator, batch, masked, settings, ops, totals)
    corrupted_ids, is_replaced = corrupt(batch.input_ids, masked.positions, guessed.sampled_ids, masked.weights, ops)
    words, replaced = predictor(corrupted_ids, batch)  # (B, L, V), (B, L)
    log_probabilities = ops.log_softmax(words)
    log_copy, log_choose = -_softplus(replaced, ops), -_softplus(-replaced, ops)  # (B, L): of c and of 1 - c
    chosen = log_choose + ops.take(log_probabilities, batch.input_ids)
    copied = log_copy + _softplus(chosen - log_copy, ops)  # log(c + (1 - c) softmax)
    errors = -ops.where(is_replaced, chosen, copied)  # (B, L) nats
    judged = ops.to_float(batch.attention_mask)
    loss = mean(errors, judged, totals and totals.tokens)

    best = ops.to_int(ops.argmax(log_probabilities))  # (B, L), the likeliest token but for copying
    of_best = log_choose + ops.take(log_probabilities, best)
    of_seen = log_choose + ops.take(log_probabilities, corrupted_ids)
    copies = log_copy + _softplus(of_seen - log_copy, ops) >= of_best
    said = ops.where(copies, ops.to_int(corrupted_ids), best)
    return Outcome(
        loss=settings.generator_weight * guessed.loss + settings.prediction_weight * loss,
        mlm_loss=guessed.mlm_loss, mlm_log_probabilities=guessed.log_probabilities, cloze_loss=guessed.cloze_loss,
        prediction_loss=loss, sampled_ids=guessed.sampled_ids, corrupted_ids=corrupted_ids, is_replaced=is_replaced,
        judged=judged, is_right=said == ops.to_int(batch.input_ids), prediction_errors=errors,
        discriminator_logits=replaced,
    )  # fmt: skip


def electric_loss(
    generator: Generator, energy: Discriminator, batch: Batch, masked: Masked, settings: ObjectiveSettings, ops: Any,
    totals: Totals | None = None, guess: Guesser | None = None,
) -> Outcome:  # fmt: skip
    """Noise-contrastive estimation: tell the drawn tokens (noise, also where the sample is the original) from the text's own.

    A token is noise with the odds p q(token | others) / ((1 - p) exp(-energy)), p the share of tokens drawn. The two towers,
    whose q it is, learn from every candidate. Minus the sum of a text's energies is its pseudo-log-likelihood, in one pass.
    """
    guessed = cloze(generator, batch, masked, settings, ops, totals)
    corrupted_ids, _ = corrupt(batch.input_ids, masked.positions, guessed.sampled_ids, masked.weights, ops)
    is_noise = draws(batch, masked, ops) > 0  # (B, L)
    noise = ops.stop_gradient(ops.take(guessed.everywhere, corrupted_ids))  # (B, L) log q
    share = settings.mask_probability
    logits = ops.to_float(energy(corrupted_ids, batch)) + noise + math.log(share / (1 - share))
    errors = ops.binary_cross_entropy(logits, ops.to_float(is_noise))
    judged = ops.to_float(batch.attention_mask)
    loss = mean(errors, judged, totals and totals.tokens)
    return Outcome(
        loss=settings.generator_weight * guessed.loss + settings.discriminator_weight * loss,
        mlm_loss=guessed.mlm_loss, mlm_log_probabilities=guessed.log_probabilities, cloze_loss=guessed.cloze_loss,
        discriminator_loss=loss, sampled_ids=guessed.sampled_ids, corrupted_ids=corrupted_ids, is_replaced=is_noise,
        judged=judged, is_right=(logits > 0) == is_noise, discriminator_logits=logits,
    )  # fmt: skip


OBJECTIVES: dict[str, Callable[..., Outcome]] = {
    "electra": electra_loss,
    "electra_masked_only": electra_masked_only_loss,
    "replace_mlm": replace_mlm_loss,
    "all_tokens_mlm": all_tokens_mlm_loss,
    "electric": electric_loss,
    "mlm": mlm_loss,
}


def loss_of(settings: Any, guess: Guesser | None = None) -> Callable[..., Outcome]:
    """The objective of a run's settings, its generator asked as its kind is; or by `guess`, a framework's own way."""
    loss = OBJECTIVES[settings.objective]
    way = cloze if settings.generator == "two_towers" else guess
    return partial(loss, guess=way) if way else loss


# --------------------------------------------------------------------------------------------------------------- steps


def cloze(
    towers: Generator, batch: Batch, masked: Masked, settings: ObjectiveSettings, ops: Any, totals: Totals | None = None
) -> Guess:
    """Ask two towers, which read the whole text: they learn from every token that could have been hidden."""
    everywhere = ops.log_softmax(towers(batch.input_ids, batch, masked.positions))  # (B, L, V)
    loss = mean(-ops.take(everywhere, batch.input_ids), masked.candidates, totals and totals.candidates)
    at_slots = ops.gather(everywhere, masked.positions)  # (B, M, V)
    mlm_loss = mean(-ops.take(at_slots, masked.original_ids), masked.weights, totals and totals.predictions)
    sampled_ids = sample(ops.stop_gradient(at_slots), masked, settings, ops)
    return Guess(
        loss=loss, mlm_loss=mlm_loss, sampled_ids=sampled_ids, log_probabilities=at_slots, everywhere=everywhere
    )


def draws(batch: Batch, masked: Masked, ops: Any) -> Array:
    """How often each token was drawn, (B, L) int."""
    return ops.scatter_add(batch.input_ids, masked.positions, ops.to_int(masked.weights))


def _softplus(values: Array, ops: Any) -> Array:
    """log(1 + exp(values)) without overflow: the cross-entropy of a logit whose label is 0."""
    return ops.binary_cross_entropy(values, ops.to_float(values) * 0)
