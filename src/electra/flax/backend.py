"""Pretraining in JAX: the networks, their optimizer, and one step. The twin of every other framework's backend.

Unusual here: the networks are one tree of parameters, in which what two networks share stands once; and where there are
several devices, the rows of a batch are spread over them by JAX's own sharding, which changes no line of the objective.
The dropout of a step is seeded by the step, so there is no random state to save. XLA takes all the processor's threads.
"""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from electra import objective
from electra.batch import Batch
from electra.config import ElectraConfig
from electra.errors import ConfigError, RunFailedError
from electra.first_weights import first_networks
from electra.flax import FlaxElectraForMaskedLM, FlaxElectraForPreTraining, ops
from electra.flax.heads import check_shared, with_embeddings
from electra.flax.optim import adam, clip, update
from electra.flax.trees import Tree, to_arrays, to_tree
from electra.objective import OBJECTIVES, Outcome
from electra.training.backend import Part
from electra.training.metrics import Observed, shares
from electra.training.settings import PretrainSettings
from electra.weights.files import Arrays, read_tensors, write_tensors
from electra.weights.names import TIED_TABLE

CLASSES = {
    "discriminator": FlaxElectraForPreTraining,
    "generator": FlaxElectraForMaskedLM,
    "masked_lm": FlaxElectraForMaskedLM,
}


class Backend:
    """Networks by name (`discriminator` and `generator`, or `masked_lm`), trained jointly by one optimizer."""

    def __init__(
        self,
        networks: dict[str, ElectraConfig],
        settings: PretrainSettings,
        special_ids: dict[str, int],
        weights: Mapping[str, Arrays] | None = None,
    ) -> None:
        self.settings, self.special_ids = settings, special_ids
        self.devices = devices_of(settings.device, settings.batch_size // settings.accumulate)
        self.bfloat16 = settings.precision == "bfloat16" or (
            settings.precision == "auto" and has_fast_bfloat16(self.devices[0])
        )
        mesh = Mesh(np.array(self.devices), ("rows",))
        self.everywhere, self.by_rows = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), ("rows",)))
        dtype = jnp.bfloat16 if self.bfloat16 else jnp.float32
        self.models = {name: CLASSES[name](config, dtype=dtype, _do_init=False) for name, config in networks.items()}
        if "generator" in networks:
            check_shared(networks["generator"], networks["discriminator"])
        first = weights or first_networks(networks, seed=settings.seed, start=settings.start)
        self._adopt({name: to_tree(_own(self.models[name], arrays)) for name, arrays in first.items()})
        self._gradients = jax.jit(self._gradients_of_part)
        self._add = jax.jit(lambda one, other: jax.tree.map(jnp.add, one, other), donate_argnums=0)
        self._update = jax.jit(self._updated, donate_argnums=(0, 1))
        self._observe = jax.jit(self._observed)

    def _adopt(self, networks: Mapping[str, Tree], state: Tree | None = None) -> None:
        self.parameters = jax.device_put(_once(networks), self.everywhere)
        self.optimizer = jax.device_put(adam(self.parameters) if state is None else state, self.everywhere)

    def describe(self) -> dict[str, Any]:
        """Device, precision, threads and parameters of this run."""
        name, count = self.devices[0].platform, len(self.devices)
        return {
            "framework": f"jax {jax.__version__}",
            "device": name if count == 1 else f"{count} x {name}",
            "precision": "bfloat16" if self.bfloat16 else "float32",
            "threads": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "parameters": sum(leaf.size for leaf in jax.tree.leaves(self.parameters)),
        }

    # -- one step -----------------------------------------------------------------------------------------------------

    def outcome(
        self, parameters: Tree, part: Part, totals: tuple[Any, Any] | None = None, key: Array | None = None
    ) -> Outcome:
        """The objective on one part of a batch; with a key, with dropout."""
        networks, keys = _each(parameters), {} if key is None else {"dropout": key}
        generator = "generator" if "generator" in networks else "masked_lm"

        def run(name: str, *arguments: Any, batch: Batch, **options: Any) -> Any:
            return self.models[name].module.apply(
                {"params": networks[name]}, *arguments, objective.attention_mask(batch), batch.token_type_ids,
                batch.position_ids, deterministic=key is None, **options,
            )  # fmt: skip

        def generate(input_ids: Array, batch: Batch, positions: Array) -> Array:
            rngs = {name: jax.random.fold_in(key, 0) for name, key in keys.items()}
            return run(generator, positions, input_ids, batch=batch, rngs=rngs, method="logits_at")  # (B, M, V)

        def discriminate(input_ids: Array, batch: Batch) -> Array:
            rngs = {name: jax.random.fold_in(key, 1) for name, key in keys.items()}
            return run("discriminator", input_ids, batch=batch, rngs=rngs, return_dict=True).logits  # (B, L)

        loss = OBJECTIVES[self.settings.objective]
        return loss(generate, discriminate, part[0], part[1], self.settings, ops, totals)

    def _gradients_of_part(
        self, parameters: Tree, part: Part, totals: tuple[Array, Array], key: Array
    ) -> tuple[Tree, dict[str, Array]]:
        def loss(parameters: Tree) -> tuple[Array, dict[str, Array]]:
            outcome = self.outcome(parameters, part, totals, key)
            return outcome.loss, _counts(outcome, part)

        return jax.grad(loss, has_aux=True)(parameters)

    def _updated(
        self, parameters: Tree, state: Tree, gradients: Tree, loss: Array, learning_rate: Array
    ) -> tuple[Tree, Tree, Array]:
        """Parameters and moments after an update, or as they were where it is not finite; and the gradient's norm."""
        settings = self.settings
        clipped, norm = clip(gradients, settings.clip_norm)
        new = update(
            parameters, clipped, state, learning_rate=learning_rate, weight_decay=settings.weight_decay,
            epsilon=settings.adam_epsilon, betas=(0.9, settings.adam_beta2),
        )  # fmt: skip
        is_finite = jnp.isfinite(loss) & jnp.isfinite(norm)
        kept = jax.tree.map(lambda after, before: jnp.where(is_finite, after, before), new, (parameters, state))
        return *kept, norm

    def train_step(self, parts: Sequence[Part], *, step: int, learning_rate: float) -> dict[str, float]:
        """One update on the parts of a batch; nothing changes where the loss or the gradient is not finite."""
        key = jax.random.fold_in(jax.random.key(self.settings.seed), step)
        totals = (
            np.float32(sum(float(m.weights.sum()) for _, m in parts)),
            np.float32(sum(float(b.attention_mask.sum()) for b, _ in parts)),
        )
        found: Any = None
        for number, part in enumerate(parts):
            of_part = self._gradients(self.parameters, self._on_devices(part), totals, jax.random.fold_in(key, number))
            found = of_part if found is None else self._add(found, of_part)
        gradients, sums = found
        self.parameters, self.optimizer, sums["gradient_norm"] = self._update(
            self.parameters, self.optimizer, gradients, sums["loss"], np.float32(learning_rate)
        )
        values = {name: float(value) for name, value in jax.device_get(sums).items()}  # one wait, not ten
        if not all(map(math.isfinite, (values["loss"], values["gradient_norm"]))):
            raise RunFailedError(f"step {step}: loss {values['loss']}, gradient norm {values['gradient_norm']}")
        return shares(values)

    def observe(self, part: Part) -> Observed:
        """One batch without dropout and without learning."""
        batch, masked = part
        return Observed(
            original_ids=masked.original_ids,
            weights=masked.weights,
            real=batch.attention_mask,
            **jax.device_get(self._observe(self.parameters, self._on_devices(part))),
        )

    def _observed(self, parameters: Tree, part: Part) -> dict[str, Array | None]:
        outcome = self.outcome(parameters, part)
        return {
            "mlm_errors": -ops.take(outcome.mlm_log_probabilities, part[1].original_ids),
            "mlm_ids": ops.argmax(outcome.mlm_log_probabilities),
            "sampled_ids": outcome.sampled_ids,
            "logits": None if outcome.discriminator_logits is None else ops.to_float(outcome.discriminator_logits),
            "is_replaced": outcome.is_replaced,
        }

    def _on_devices(self, part: Part) -> Part:
        """The part with its rows spread over the devices, where they can be spread evenly."""
        is_even = len(part[0].input_ids) % len(self.devices) == 0
        return jax.device_put(part, self.by_rows if is_even else self.everywhere)

    # -- files --------------------------------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """A model folder per network, and optimizer.safetensors with the moments NETWORK.NAME/m and /v."""
        for name, params in _each(self.parameters).items():
            self.models[name].save_pretrained(folder / name, params)
        state = {f"{name}/{moment}": a for moment in ("m", "v") for name, a in _named(self.optimizer[moment]).items()}
        write_tensors(folder / "optimizer.safetensors", state)

    def load(self, folder: Path) -> None:
        """Continue from what `save` wrote. Any framework's checkpoint will do."""
        networks = {name: CLASSES[name].from_pretrained(folder / name, _do_init=False)[1] for name in self.models}
        held = read_tensors(folder / "optimizer.safetensors")
        state: dict[str, dict[str, Tree]] = {}
        for moment in ("m", "v"):
            for name in self.models:
                prefix, end = f"{name}.", f"/{moment}"
                own = {key: array for key, array in held.items() if key.startswith(prefix) and key.endswith(end)}
                tree = to_tree({key[len(prefix) : -len(end)]: array for key, array in own.items()})
                state.setdefault(moment, {})[name] = tree
        self._adopt(networks, state)


def _own(model: Any, arrays: Arrays) -> Arrays:
    """The arrays without the output table of a model that has none of its own."""
    return {name: array for name, array in arrays.items() if not (model.is_tied and name == TIED_TABLE)}


def _once(networks: Mapping[str, Tree]) -> dict[str, Tree]:
    """The parameters of the networks, what is shared in the discriminator's alone."""
    once = dict(networks)
    if "generator" in once:
        encoder = {name: branch for name, branch in once["generator"]["electra"].items() if name != "embeddings"}
        once["generator"] = {**once["generator"], "electra": encoder}
    return once


def _each(parameters: Mapping[str, Tree]) -> dict[str, Tree]:
    """The whole parameters of each network."""
    each = dict(parameters)
    if "generator" in each:
        each["generator"] = with_embeddings(each["generator"], each["discriminator"]["electra"]["embeddings"])
    return each


def _named(networks: Mapping[str, Tree]) -> Arrays:
    """Arrays as NETWORK.NAME, in our layout."""
    return {f"{network}.{name}": array for network, tree in networks.items() for name, array in to_arrays(tree).items()}


def _counts(outcome: Outcome, part: Part) -> dict[str, Array]:
    """What a step reports, as sums that add up over the parts of a batch."""
    sums = {"loss": outcome.loss, "mlm_loss": outcome.mlm_loss}
    if outcome.discriminator_logits is None or outcome.discriminator_loss is None:
        return sums
    real = part[0].attention_mask > 0
    replaced, said = outcome.is_replaced & real, (outcome.discriminator_logits > 0) & real
    return sums | {
        "discriminator_loss": outcome.discriminator_loss,
        "real": real.sum(),
        "replaced": replaced.sum(),
        "replaced_found": (replaced & said).sum(),
        "original_kept": (real & ~replaced & ~said).sum(),
    }


def devices_of(name: str, rows: int) -> list[Any]:
    """The devices called `name`, as many as share `rows` evenly; ConfigError where this machine, or this JAX, has none."""
    kind, _, number = name.partition(":")
    try:
        found = jax.devices() if kind == "auto" else jax.devices(kind)
        found = [found[int(number)]] if number else found
    except (RuntimeError, IndexError, ValueError) as error:
        raise ConfigError(f"device is {name!r}, which cannot be used here: {str(error).splitlines()[0]}") from None
    return found[: math.gcd(len(found), rows)]


def has_fast_bfloat16(device: Any) -> bool:
    """Whether bfloat16 products are faster than float32's here: a TPU, or a GPU of compute capability 8 or more."""
    return device.platform == "tpu" or float(getattr(device, "compute_capability", 0)) >= 8
