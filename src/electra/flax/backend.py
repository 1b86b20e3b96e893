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
from electra.flax import ops
from electra.flax.networks import CLASSES, Sharing
from electra.flax.optim import adam, clip, update
from electra.flax.towers import one_sided
from electra.flax.trees import Tree, to_arrays, to_tree
from electra.objective import LOSSES, Outcome, Totals, count_totals
from electra.objectives import loss_of
from electra.training.backend import Part
from electra.training.metrics import Observed, shares
from electra.training.networks import TOWERS, first_arrays
from electra.training.settings import PretrainSettings
from electra.weights.files import Arrays, read_tensors, write_tensors
from electra.weights.names import TIED_TABLE


class Backend:
    """Networks by name (electra.training.networks), trained jointly by one optimizer."""

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
        self.main, self.sharing = next(iter(networks)), Sharing(settings, networks)
        first = weights or first_arrays(settings, networks)
        self._adopt({name: to_tree(_own(self.models[name], arrays)) for name, arrays in first.items()})
        self._gradients = jax.jit(self._gradients_of_part)
        self._add = jax.jit(lambda one, other: jax.tree.map(jnp.add, one, other), donate_argnums=0)
        self._update = jax.jit(self._updated, donate_argnums=(0, 1))
        self._observe = jax.jit(self._observed)

    def _adopt(self, networks: Mapping[str, Tree], state: Mapping[str, Any] | None = None) -> None:
        """Begin with these networks; or go on, with the arrays of an optimizer.safetensors."""
        once = self.sharing.once(networks, state or {})
        fixed = {"generator": once.pop("generator")} if self.settings.generator == "fixed" else {}
        self.parameters, self.fixed = jax.device_put((once, fixed), self.everywhere)
        optimizer = adam(self.parameters) if state is None else _moments(once, state)
        self.optimizer = jax.device_put(optimizer, self.everywhere)

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

    def outcome(self, parameters: Tree, part: Part, totals: Totals | None = None, key: Array | None = None) -> Outcome:
        """The objective on one part of a batch; with a key, with dropout."""
        networks, settings = self.sharing.each(parameters), self.settings
        generator = "generator" if "generator" in networks else "masked_lm"

        def run(name: str, *arguments: Any, batch: Batch, coins: int | None = None, **options: Any) -> Any:
            """Apply a network to a batch; with dropout of this number of the step's, if any."""
            rngs = {} if key is None or coins is None else {"dropout": jax.random.fold_in(key, coins)}
            seen = options.pop("seen", objective.attention_mask(batch))
            return self.models[name].module.apply(
                {"params": networks[name]}, *arguments, seen, batch.token_type_ids, batch.position_ids,
                deterministic=not rngs, rngs=rngs, **options,
            )  # fmt: skip

        def generate(input_ids: Array, batch: Batch, positions: Array) -> Array:
            """What the generator says: (B, M, V) at the positions, or (B, L, V) where it is two towers."""
            if settings.generator == "two_towers":
                return read_from_both_sides(input_ids, batch)
            if settings.generator == "uniform":
                return jnp.zeros((*positions.shape, self.models[self.main].config.vocab_size))
            coins = None if settings.generator == "fixed" else 0
            return run(generator, positions, input_ids, batch=batch, coins=coins, method="logits_at")  # (B, M, V)

        def read_from_both_sides(input_ids: Array, batch: Batch) -> Array:
            left, right = (
                run(name, input_ids, batch=batch, coins=coins, seen=seen, return_dict=True).last_hidden_state
                for name, seen, coins in zip(TOWERS, one_sided(objective.attention_mask(batch)), (0, 2), strict=True)
            )
            words = networks[self.main]["electra"]["embeddings"]["word_embeddings"]["embedding"]
            head = self.models["cloze"].module
            return head.apply({"params": networks["cloze"]}, left, right, words, method="cloze_logits")  # (B, L, V)

        def answer(input_ids: Array, batch: Batch, positions: Array | None = None) -> Any:
            """What the main network says of a text: as objectives.py asks it."""
            if settings.objective == "replace_mlm":
                return run(self.main, positions, input_ids, batch=batch, coins=1, method="logits_at")  # (B, M, V)
            if settings.objective != "all_tokens_mlm":
                return run(self.main, input_ids, batch=batch, coins=1, return_dict=True).logits  # (B, L)
            hidden, logits = run(self.main, input_ids, batch=batch, coins=1, method="states_and_logits")
            head = self.models["masked_lm"].module
            return head.apply({"params": networks["masked_lm"]}, hidden, method="mlm_logits"), logits  # (B, L, V)

        return loss_of(settings)(generate, answer, part[0], part[1], settings, ops, totals)

    def _gradients_of_part(
        self, parameters: Tree, fixed: Tree, part: Part, totals: Totals, key: Array
    ) -> tuple[Tree, dict[str, Array]]:
        def loss(parameters: Tree) -> tuple[Array, dict[str, Array]]:
            outcome = self.outcome({**parameters, **fixed}, part, totals, key)
            return outcome.loss, _counts(outcome)

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
        totals = Totals(*(np.float32(total) for total in count_totals(parts)))
        found: Any = None
        for number, part in enumerate(parts):
            of_part = self._gradients(
                self.parameters, self.fixed, self._on_devices(part), totals, jax.random.fold_in(key, number)
            )
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
            candidates=masked.candidates,
            **jax.device_get(self._observe({**self.parameters, **self.fixed}, self._on_devices(part))),
        )

    def _observed(self, parameters: Tree, part: Part) -> dict[str, Array | None]:
        outcome = self.outcome(parameters, part)
        return {
            "mlm_errors": -ops.take(outcome.mlm_log_probabilities, part[1].original_ids),
            "mlm_ids": ops.argmax(outcome.mlm_log_probabilities),
            "sampled_ids": outcome.sampled_ids,
            "logits": None if outcome.discriminator_logits is None else ops.to_float(outcome.discriminator_logits),
            "is_replaced": outcome.is_replaced,
            "judged": outcome.judged,
            "is_right": outcome.is_right,
            "prediction_errors": outcome.prediction_errors,
            "cloze_loss": outcome.cloze_loss,
        }

    def _on_devices(self, part: Part) -> Part:
        """The part with its rows spread over the devices, where they can be spread evenly."""
        is_even = len(part[0].input_ids) % len(self.devices) == 0
        return jax.device_put(part, self.by_rows if is_even else self.everywhere)

    # -- files --------------------------------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """A model folder per network, and optimizer.safetensors with the moments NETWORK.NAME/m and /v.

        In a folder a shifted table is the sum; its difference is NETWORK.NAME/difference beside the moments.
        """
        for name, params in self.sharing.each({**self.parameters, **self.fixed}).items():
            self.models[name].save_pretrained(folder / name, params)
        state = {f"{name}/{moment}": a for moment in ("m", "v") for name, a in _named(self.optimizer[moment]).items()}
        write_tensors(folder / "optimizer.safetensors", state | self.sharing.differences(self.parameters))

    def load(self, folder: Path) -> None:
        """Continue from what `save` wrote. Any framework's checkpoint will do."""
        options = {"check_manifest": False, "_do_init": False}
        networks = {name: CLASSES[name].from_pretrained(folder / name, **options)[1] for name in self.models}
        self._adopt(networks, read_tensors(folder / "optimizer.safetensors"))


def _own(model: Any, arrays: Arrays) -> Arrays:
    """The arrays without the output table of a model that has none of its own."""
    return {name: array for name, array in arrays.items() if not (model.is_tied and name == TIED_TABLE)}


def _moments(parameters: Mapping[str, Tree], held: Mapping[str, Any]) -> dict[str, dict[str, Tree]]:
    """The optimizer's state of these parameters from the arrays of a file."""
    state: dict[str, dict[str, Tree]] = {}
    for moment in ("m", "v"):
        for name in parameters:
            prefix, end = f"{name}.", f"/{moment}"
            own = {key: array for key, array in held.items() if key.startswith(prefix) and key.endswith(end)}
            tree = to_tree({key[len(prefix) : -len(end)]: array for key, array in own.items()})
            state.setdefault(moment, {})[name] = tree
    return state


def _named(networks: Mapping[str, Tree]) -> Arrays:
    """Arrays as NETWORK.NAME, in our layout."""
    return {f"{network}.{name}": array for network, tree in networks.items() for name, array in to_arrays(tree).items()}


def _counts(outcome: Outcome) -> dict[str, Array]:
    """What a step reports, as sums that add up over the parts of a batch."""
    losses = {name: getattr(outcome, name) for name in LOSSES}
    sums = {name: loss for name, loss in losses.items() if loss is not None}
    if outcome.is_right is None or outcome.judged is None:
        return sums
    judged = outcome.judged > 0
    replaced, right = outcome.is_replaced & judged, outcome.is_right & judged
    return sums | {
        "judged": judged.sum(),
        "replaced": replaced.sum(),
        "replaced_found": (replaced & right).sum(),
        "original_kept": (right & ~replaced).sum(),
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
