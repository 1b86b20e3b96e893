"""Peers in training, built as their users build them: transformers' classes in a plain loop, or under electra-pytorch.

Both get our first weights, one embedding for both networks, torch's AdamW with its defaults but for epsilon and decay, and
clipping. bfloat16 is torch's autocast.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from electra.batch import Batch
from electra.first_weights import first_networks
from electra.objective import mask_tokens
from electra.training.settings import PretrainSettings

Losses = tuple[Any, Any, Any]  # of the step, the generator, the discriminator
CLASSES = {"generator": "ElectraForMaskedLM", "discriminator": "ElectraForPreTraining"}


class Loop:
    """Forward, backward, clip, update: what a training script does with any model."""

    def __init__(self, parameters: Sequence[Any], settings: Any, is_bfloat16: bool) -> None:
        self.parameters, self.settings, self.is_bfloat16 = list(parameters), settings, is_bfloat16
        self.optimizer = torch.optim.AdamW(
            self.parameters, eps=settings.adam_epsilon, weight_decay=settings.weight_decay
        )

    def step(self, forward: Callable[[], Any], rate: float) -> Any:
        """One update; the losses that `forward` returned, the step's first."""
        self.optimizer.param_groups[0]["lr"] = rate
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.is_bfloat16):
            losses = forward()
        losses[0].backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return [loss.detach() for loss in losses]


def pretraining_step(
    peer: str, settings: PretrainSettings, networks: dict[str, Any], special_ids: dict[str, int]
) -> Callable[[Batch, int, float], tuple[float, float]]:
    """(batch, its number, learning rate) -> losses of the generator and the discriminator, after an update.

    peer    transformers or electra-pytorch
    """
    generator, discriminator = pair(networks)
    losses_of = {"transformers": plain_loop, "electra-pytorch": lucidrains}[peer](
        generator, discriminator, settings, special_ids
    )
    parameters = dict.fromkeys([*discriminator.parameters(), *generator.parameters()])
    loop = Loop(list(parameters), settings, settings.precision == "bfloat16")

    def step(batch: Batch, number: int, rate: float) -> tuple[float, float]:
        _, generator_loss, discriminator_loss = loop.step(lambda: losses_of(batch), rate)
        return float(generator_loss), float(discriminator_loss)

    return step


def pair(networks: dict[str, Any], seed: int = 0) -> tuple[Any, Any]:
    """transformers' generator and discriminator with our first weights, in training."""
    import transformers

    models = {}
    for name, arrays in first_networks(networks, seed=seed, start="original").items():
        models[name] = getattr(transformers, CLASSES[name])(transformers.ElectraConfig(**networks[name].to_dict()))
        models[name].load_state_dict({key: torch.from_numpy(array) for key, array in arrays.items()}, strict=False)
    generator, discriminator = models["generator"].train(), models["discriminator"].train()
    generator.electra.embeddings = discriminator.electra.embeddings
    generator.tie_weights()
    return generator, discriminator


def tensors(*arrays: np.ndarray) -> list[Any]:
    return [torch.from_numpy(array).long() for array in arrays]


def plain_loop(
    generator: Any, discriminator: Any, settings: PretrainSettings, special_ids: dict[str, int]
) -> Callable[[Batch], Losses]:
    """The classes as they are: the generator's head on all positions, a sample from its softmax at the masked ones."""
    rng, vocab_size = np.random.default_rng(0), generator.config.vocab_size

    def losses_of(batch: Batch) -> Losses:
        masked = mask_tokens(batch, settings=settings, special_ids=special_ids, vocab_size=vocab_size, rng=rng)
        ids, mask, types = tensors(batch.input_ids, batch.attention_mask, batch.token_type_ids)
        shown, positions, originals = tensors(masked.input_ids, masked.positions, masked.original_ids)
        used = torch.from_numpy(masked.weights) > 0
        labels = torch.full_like(ids, -100).scatter(1, positions, originals.where(used, -100))
        said = generator(shown, attention_mask=mask, token_type_ids=types, labels=labels)
        with torch.no_grad():
            asked = said.logits.gather(1, positions[..., None].expand(-1, -1, vocab_size))  # (B, M, V)
            sampled = torch.multinomial(asked.float().softmax(-1).flatten(0, 1), 1).view_as(positions)
            corrupted = ids.scatter(1, positions, sampled.where(used, ids.gather(1, positions)))
        judged = discriminator(corrupted, attention_mask=mask, token_type_ids=types, labels=(corrupted != ids).long())
        loss = settings.generator_weight * said.loss + settings.discriminator_weight * judged.loss
        return loss, said.loss, judged.loss

    return losses_of


class Logits(torch.nn.Module):
    """What electra-pytorch takes for a network: a module that answers with logits."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.model(*args, **kwargs)[0]


def lucidrains(
    generator: Any, discriminator: Any, settings: PretrainSettings, special_ids: dict[str, int]
) -> Callable[[Batch], Losses]:
    """electra-pytorch's training class, which masks and samples itself."""
    from electra_pytorch import Electra

    both = Electra(
        Logits(generator), Logits(discriminator), num_tokens=generator.config.vocab_size,
        mask_prob=settings.mask_probability, replace_prob=settings.show_mask_probability,
        mask_token_id=special_ids["mask"], pad_token_id=special_ids["pad"],
        mask_ignore_token_ids=[special_ids["cls"], special_ids["sep"]],
        gen_weight=settings.generator_weight, disc_weight=settings.discriminator_weight,
    )  # fmt: skip

    def losses_of(batch: Batch) -> Losses:
        ids, mask, types = tensors(batch.input_ids, batch.attention_mask, batch.token_type_ids)
        results = both(ids, attention_mask=mask, token_type_ids=types)
        return results.loss, results.mlm_loss, results.disc_loss

    return losses_of
