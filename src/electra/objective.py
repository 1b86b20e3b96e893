"""Replaced token detection: ELECTRA's objective, start to finish (Clark et al., 2020, section 2).

    hide      about 15% of a text's tokens from a small masked language model, the generator,
    generate  a distribution over the vocabulary at each hidden position,
    sample    one token from it,
    corrupt   the text with the samples,
    discriminate: a second network says of every token whether it was replaced.

Both losses are added and both networks updated in one step. The sample carries no gradient, so the generator is trained
as a masked language model only: it never sees the discriminator's opinion, and this is no GAN. A token that the generator
restores by luck counts as original. After training the generator is put aside and the discriminator is fine-tuned.
The paper's other objectives, made of the same steps, are in objectives.py.

Unusual here: `choose_positions` and `hide` are NumPy and part of a batch's preparation; what follows is written once over a
handful of `ops`, so NumPy, PyTorch, JAX and TensorFlow run these very lines. All randomness is an argument.

Shapes: B rows, L positions, M masked slots, V vocabulary. Losses are means in nats.
Source: google-research/electra, pretrain/pretrain_helpers.py and run_pretraining.py; facts in docs/idea.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from electra.batch import Array, Batch, Masked

Generator = Callable[[Array, Batch, Array], Array]  # (masked ids (B, L), batch, positions (B, M)) -> logits (B, M, V)
Discriminator = Callable[[Array, Batch], Array]  # (corrupted ids (B, L), batch) -> logits (B, L), positive: replaced


class Ops(Protocol):
    """What the objective needs of a framework; arrays in, arrays out."""

    def log_softmax(self, logits: Array) -> Array: ...  # over the last axis, in float32
    def take(self, values: Array, ids: Array) -> Array: ...  # (B, M, V), (B, M) -> (B, M)
    def gather(self, values: Array, positions: Array) -> Array: ...  # (B, L, V), (B, M) -> (B, M, V)
    def one_hot(self, ids: Array, size: int) -> Array: ...  # (B, M) -> (B, M, V) float32
    def scatter_add(self, like: Array, positions: Array, values: Array) -> Array: ...  # onto zeros (B, L)
    def binary_cross_entropy(self, logits: Array, labels: Array) -> Array: ...  # per element, from logits
    def draw(self, weights: Array, uniform: Array) -> Array: ...  # (B, M, V), (B, M) -> ids (B, M)
    def argmax(self, values: Array) -> Array: ...  # over the last axis
    def exp(self, values: Array) -> Array: ...
    def log(self, values: Array) -> Array: ...
    def where(self, condition: Array, one: Array, other: Array) -> Array: ...
    def to_int(self, values: Array) -> Array: ...
    def to_float(self, values: Array) -> Array: ...
    def stop_gradient(self, values: Array) -> Array: ...


class Draws(Protocol):
    """Uniform numbers in [0, 1): NumPy's Generator, or data.batches.DrawsOfRows."""

    def random(self, size: tuple[int, ...], dtype: Any = ...) -> np.ndarray: ...


@dataclass(frozen=True, kw_only=True)
class ObjectiveSettings:
    """The numbers of the objective; defaults are the paper's.

    draw_with_replacement and gumbel_noise repeat what the original code does (see AS_SHIPPED); they are off by default.
    """

    mask_probability: float = 0.15  # share of the real tokens that is predicted; large models use 0.25
    show_mask_probability: float = 0.85  # a chosen token is shown as [MASK] so often, and left as it is otherwise
    generator_weight: float = 1.0  # of its loss in the sum
    discriminator_weight: float = 50.0  # of its loss in the sum
    prediction_weight: float = 1.0  # of the main network's loss in the sum, where it names tokens
    generator: Literal["own", "tied", "two_towers", "uniform", "fixed"] = "own"  # docs/how-to/objectives.md
    temperature: float = 1.0  # of the generator's samples
    final_temperature: float | None = None  # at the last step, on a straight line from temperature; None: the same
    disallow_correct: bool = False  # never sample the original token
    draw_with_replacement: bool = False  # a position may be drawn twice; its sampled ids are then averaged (sic)
    gumbel_noise: bool = False  # sample by Gumbel noise on every token instead of by the inverse distribution


# What google-research/electra runs, including what its author calls a mistake (issue 41): a named recipe, never a default.
AS_SHIPPED = {"draw_with_replacement": True, "gumbel_noise": True}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Everything one batch gives. The losses are scalars; an `mlm` run has nothing from sampled_ids on."""

    loss: Array
    mlm_loss: Array
    mlm_log_probabilities: Array  # (B, M, V); None where a framework's own `guess` makes none
    cloze_loss: Array | None = None  # of two towers
    discriminator_loss: Array | None = None
    prediction_loss: Array | None = None  # of a main network that names tokens instead of judging them
    sampled_ids: Array | None = None  # (B, M)
    corrupted_ids: Array | None = None  # (B, L)
    is_replaced: Array | None = None  # (B, L) bool, the labels
    judged: Array | None = None  # (B, L) how much each token counts in the main network's loss
    is_right: Array | None = None  # (B, L) bool, whether the main network's answer is
    prediction_errors: Array | None = None  # (B, L) nats, where it names tokens
    discriminator_logits: Array | None = None  # (B, L)


LOSSES = ("loss", "mlm_loss", "cloze_loss", "discriminator_loss", "prediction_loss")  # of an Outcome


class Totals(NamedTuple):
    """What the losses of a step are divided by: its masked slots, its real tokens, and (two towers) its candidates."""

    predictions: Any
    tokens: Any
    candidates: Any = 0.0


@dataclass(frozen=True, kw_only=True)
class Guess:
    """The generator's answer to one batch.

    loss               ()         what trains it, in nats
    mlm_loss           ()         its error at the masked slots; two towers are trained by another
    sampled_ids        (B, M)
    log_probabilities  (B, M, V)  None where a framework has a way without them
    everywhere         (B, L, V)  log-probabilities of every token given all others; two towers alone have them
    """

    loss: Array
    mlm_loss: Array
    sampled_ids: Array
    log_probabilities: Array | None = None
    everywhere: Array | None = None

    @property
    def cloze_loss(self) -> Array | None:
        """The loss over all candidates, where that is what trains the generator."""
        return None if self.everywhere is None else self.loss


# ---------------------------------------------------------------------------------------------------------------- hide


def max_predictions(length: int, probability: float) -> int:
    """M, the masked slots of a row of `length` positions: 19 for 128 at 15%, 79 for 512."""
    return max(1, int((probability + 0.005) * length))


def count_predictions(real: np.ndarray, probability: float) -> np.ndarray:
    """How many places each row (B, L) of n real tokens is asked at: max(1, round(0.15 n)), at most M.

    Rounded half to even in float32, as the original rounds.
    """
    wanted = np.round(real.sum(1).astype(np.float32) * np.float32(probability))
    counts: np.ndarray = np.clip(wanted, 1, max_predictions(real.shape[1], probability)).astype(np.int64)
    return counts


def find_candidates(batch: Batch, special_ids: dict[str, int]) -> np.ndarray:
    """Which tokens may be chosen, (B, L) bool: all real ones but [CLS], [SEP] and [MASK]."""
    never = [special_ids[name] for name in ("cls", "sep", "mask")]
    candidates: np.ndarray = (np.asarray(batch.attention_mask) > 0) & ~np.isin(batch.input_ids, never)
    return candidates


def choose_positions(
    batch: Batch, *, settings: ObjectiveSettings, special_ids: dict[str, int], rng: Draws
) -> tuple[np.ndarray, np.ndarray]:
    """Where the generator will be asked: positions (B, M) int32 and weights (B, M) float32, 0 on unused slots.

    Places are chosen evenly among the tokens that are not [CLS], [SEP], [MASK] or padding; a row without such a token is
    asked nowhere.
    """
    ids, real = np.asarray(batch.input_ids), np.asarray(batch.attention_mask) > 0
    candidates = find_candidates(batch, special_ids)  # (B, L)
    slots = max_predictions(ids.shape[1], settings.mask_probability)
    wanted = count_predictions(real, settings.mask_probability)  # (B,)

    keys = np.where(candidates, rng.random(ids.shape), 2.0)  # candidates sort first
    if settings.draw_with_replacement:
        order = np.argsort(keys, axis=1)  # candidates, shuffled
        picks = (rng.random((len(ids), slots)) * candidates.sum(1, keepdims=True)).astype(np.int64)
        positions = np.take_along_axis(order, picks, axis=1)
        available = np.where(candidates.any(1), slots, 0)
    else:
        positions = np.argsort(keys, axis=1)[:, :slots]
        available = candidates.sum(1)
    used = np.arange(slots)[None, :] < np.minimum(wanted, available)[:, None]  # (B, M)
    return np.where(used, positions, 0).astype(np.int32), used.astype(np.float32)


def hide(
    batch: Batch, positions: np.ndarray, weights: np.ndarray, *, coins: np.ndarray, noise: np.ndarray, mask_id: int,
    settings: ObjectiveSettings,
) -> Masked:  # fmt: skip
    """The text as the generator sees it: a chosen token becomes [MASK] where its coin (B, M), in [0, 1), is below 0.85."""
    ids = np.array(batch.input_ids, dtype=np.int32)
    used = weights > 0
    original_ids = np.where(used, np.take_along_axis(ids, positions, axis=1), 0)
    rows, slots = np.nonzero(used & (coins < settings.show_mask_probability))
    ids[rows, positions[rows, slots]] = mask_id
    return Masked(
        input_ids=ids, positions=positions, original_ids=original_ids.astype(np.int32), weights=weights, noise=noise
    )


def mask_tokens(
    batch: Batch, *, settings: ObjectiveSettings, special_ids: dict[str, int], vocab_size: int, rng: Draws,
    progress: float = 0.0,
) -> Masked:  # fmt: skip
    """Choose positions, hide them, and draw the noise the generator will sample with, at the temperature it then has.

    progress    the share of the run that is done, 0 to 1
    """
    positions, weights = choose_positions(batch, settings=settings, special_ids=special_ids, rng=rng)
    coins = rng.random(positions.shape)
    shape = (*positions.shape, vocab_size) if settings.gumbel_noise else positions.shape
    noise = rng.random(shape, dtype=np.float32)
    masked = hide(batch, positions, weights, coins=coins, noise=noise, mask_id=special_ids["mask"], settings=settings)
    if settings.final_temperature is not None:
        temperature = settings.temperature + progress * (settings.final_temperature - settings.temperature)
        masked = replace(masked, temperature=np.full((len(positions), 1), temperature, np.float32))
    if settings.generator == "two_towers":
        masked = replace(masked, candidates=find_candidates(batch, special_ids).astype(np.float32))
    return masked


def count_totals(parts: Sequence[tuple[Batch, Masked]]) -> Totals:
    """What the losses of a step made of these parts are divided by."""
    return Totals(
        predictions=sum(float(masked.weights.sum()) for _, masked in parts),
        tokens=sum(float(batch.attention_mask.sum()) for batch, _ in parts),
        candidates=sum(float(masked.candidates.sum()) for _, masked in parts if masked.candidates is not None),
    )


# ------------------------------------------------------------------------------- generate, sample, corrupt, discriminate


def guess(
    generator: Generator,
    batch: Batch,
    masked: Masked,
    settings: ObjectiveSettings,
    ops: Any,
    totals: Totals | None = None,
) -> Guess:
    """Ask a masked language model at the slots; it learns from its error there."""
    log_probabilities = ops.log_softmax(generator(masked.input_ids, batch, masked.positions))  # (B, M, V)
    loss = mean(-ops.take(log_probabilities, masked.original_ids), masked.weights, totals and totals.predictions)
    sampled_ids = sample(ops.stop_gradient(log_probabilities), masked, settings, ops)
    return Guess(loss=loss, mlm_loss=loss, sampled_ids=sampled_ids, log_probabilities=log_probabilities)


def electra_loss(
    generator: Generator, discriminator: Discriminator, batch: Batch, masked: Masked, settings: ObjectiveSettings, ops: Any,
    totals: Totals | None = None, guess: Callable[..., Guess] = guess,
) -> Outcome:  # fmt: skip
    """Both losses of one batch and their weighted sum.

    totals: of the whole step where this batch is one part of it, so that parts add up to the loss of the whole whatever the
    split; by default the batch's own.
    guess: how the generator is asked, where it is no masked language model or a framework has a faster way.
    """
    guessed = guess(generator, batch, masked, settings, ops, totals)
    corrupted_ids, is_replaced = corrupt(batch.input_ids, masked.positions, guessed.sampled_ids, masked.weights, ops)

    logits = discriminator(corrupted_ids, batch)  # (B, L)
    errors = ops.binary_cross_entropy(logits, ops.to_float(is_replaced))
    # Every real token counts, [CLS] and [SEP] too: this is where ELECTRA learns from all positions, BERT from 15%.
    judged = ops.to_float(batch.attention_mask)
    discriminator_loss = mean(errors, judged, totals and totals.tokens)

    return Outcome(
        loss=settings.generator_weight * guessed.loss + settings.discriminator_weight * discriminator_loss,
        mlm_loss=guessed.mlm_loss,
        mlm_log_probabilities=guessed.log_probabilities,
        cloze_loss=guessed.cloze_loss,
        discriminator_loss=discriminator_loss,
        sampled_ids=guessed.sampled_ids,
        corrupted_ids=corrupted_ids,
        is_replaced=is_replaced,
        judged=judged,
        is_right=(logits > 0) == is_replaced,
        discriminator_logits=logits,
    )


def sample(log_probabilities: Array, masked: Masked, settings: ObjectiveSettings, ops: Any) -> Array:
    """One token id per slot (B, M), drawn from the generator's distribution (B, M, V) with the noise of `masked`."""
    temperature = settings.temperature if masked.temperature is None else masked.temperature[:, :, None]
    scores = log_probabilities / temperature
    if settings.disallow_correct:
        scores = scores - 1000.0 * ops.one_hot(masked.original_ids, scores.shape[-1])
    if len(masked.noise.shape) == 2:
        return ops.draw(ops.exp(scores), masked.noise)
    # Adding Gumbel noise and taking the best is the same draw at V random numbers a slot instead of one.
    return ops.argmax(scores - ops.log(-ops.log(masked.noise + 1e-9) + 1e-9))


def corrupt(input_ids: Array, positions: Array, sampled_ids: Array, weights: Array, ops: Any) -> tuple[Array, Array]:
    """Write the generator's tokens over the masked positions.

    input_ids    (B, L) int      the text before masking
    positions    (B, M) int      where the generator was asked
    sampled_ids  (B, M) int      what it answered
    weights      (B, M) float32  0 marks unused slots: they change nothing
    Returns the corrupted ids (B, L) and is_replaced (B, L) bool, False where the sample equals the original.
    A position drawn twice gets the floor of the mean of its two ids, as in the original; draws without replacement have none.
    Source: google-research/electra, pretrain/pretrain_helpers.py, scatter_update; run_pretraining.py, _get_fake_data.
    """
    used = ops.to_int(weights)
    hits = ops.scatter_add(input_ids, positions, used)  # (B, L)
    written = ops.scatter_add(input_ids, positions, used * sampled_ids)
    corrupted_ids = ops.where(hits > 0, written // ops.where(hits > 0, hits, hits + 1), input_ids)
    return corrupted_ids, corrupted_ids != input_ids


def attention_mask(batch: Batch) -> Array:
    """Who may attend to whom: (B, L) for rows of one text, (B, L, L) for packed rows, where documents do not mix."""
    if batch.document_ids is None:
        return batch.attention_mask
    return batch.document_ids[:, :, None] == batch.document_ids[:, None, :]


def mean(values: Array, weights: Array, total: Any = None) -> Array:
    """The weighted mean; 0, with a gradient of 0, where nothing has weight. `total`: of the weights of a whole step."""
    return (values * weights).sum() / ((weights.sum() if total is None else total) + 1e-6)
