"""Fine-tuning in JAX: a model with a head, its optimizer, and one step. The twin of every other framework's tuner.

Unusual here: the compiled steps belong to the model's class, configuration and settings, so the seeds of a run compile once.
The dropout of a step is seeded by the step, so there is no random state to save. XLA takes all the processor's threads.
"""

import json
import math
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from electra.config import ElectraConfig
from electra.errors import RunFailedError
from electra.flax import ops
from electra.flax.backend import devices_of, has_fast_bfloat16
from electra.flax.optim import adam, clip, update
from electra.flax.trees import Tree, leaves, to_arrays, to_tree
from electra.losses import tuning_loss
from electra.training.tune_settings import TuneSettings
from electra.training.tuner import Arrays, begin_weights, find_class, given_to, rates_of
from electra.weights.files import read_tensors, write_tensors
from electra.weights.translation import from_flax_path


class Tuner:
    """A model of the class `class_name`, trained by the optimizer of pretraining with a learning rate for each layer."""

    def __init__(
        self,
        class_name: str,
        config: ElectraConfig,
        weights: Arrays,
        settings: TuneSettings,
        *,
        seed: int,
    ) -> None:
        self.settings, self.seed = settings, seed
        self.device = devices_of(settings.device, 1)[0]
        self.bfloat16 = settings.precision == "bfloat16" or (
            settings.precision == "auto" and has_fast_bfloat16(self.device)
        )
        self.model_class = find_class("flax", class_name)
        dtype = jnp.bfloat16 if self.bfloat16 else jnp.float32
        self.model = self.model_class(config, dtype=dtype, _do_init=False)
        self._steps = _compiled(self.model_class, config.to_json_string(), dtype, settings)
        self._adopt(to_tree(begin_weights(self.model.shapes(), weights, config.initializer_range, seed)))

    def _adopt(self, parameters: Tree, state: Tree | None = None) -> None:
        self.parameters = jax.device_put(parameters, self.device)
        self.optimizer = jax.device_put(adam(self.parameters) if state is None else state, self.device)

    def describe(self) -> dict[str, Any]:
        """Device, precision, threads and parameters of this run."""
        return {
            "framework": f"jax {jax.__version__}",
            "device": self.device.platform,
            "precision": "bfloat16" if self.bfloat16 else "float32",
            "threads": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "parameters": self.model.num_parameters(),
        }

    # -- one step -----------------------------------------------------------------------------------------------------

    def train_step(self, inputs: Arrays, targets: Arrays, *, step: int, learning_rate: float) -> dict[str, float]:
        """One update on a batch; nothing changes where the loss or the gradient is not finite."""
        key = jax.random.fold_in(jax.random.key(self.seed), step)
        batch = jax.device_put((dict(inputs), dict(targets)), self.device)
        self.parameters, self.optimizer, loss, norm = self._steps.train(
            self.parameters, self.optimizer, *batch, key, np.float32(learning_rate)
        )
        numbers = map(float, jax.device_get((loss, norm)))
        values = dict(zip(("loss", "gradient_norm"), numbers, strict=True))
        if not all(map(math.isfinite, values.values())):
            raise RunFailedError(f"step {step}: loss {values['loss']}, gradient norm {values['gradient_norm']}")
        return values

    def predict(self, inputs: Arrays) -> dict[str, np.ndarray[Any, Any]]:
        """The answers of one batch without dropout, in float32 and with the padding."""
        answer = self._steps.look(self.parameters, jax.device_put(dict(inputs), self.device))
        return {name: np.asarray(value) for name, value in answer.items()}

    # -- files --------------------------------------------------------------------------------------------------------

    def save_model(self, folder: Path) -> None:
        """A model folder."""
        self.model.save_pretrained(folder, self.parameters)

    def save(self, folder: Path) -> None:
        """A model folder, and optimizer.safetensors with the moments NAME/m and NAME/v."""
        self.save_model(folder)
        state = {
            f"{name}/{moment}": array
            for moment in ("m", "v")
            for name, array in to_arrays(self.optimizer[moment]).items()
        }
        write_tensors(folder / "optimizer.safetensors", state)

    def load(self, folder: Path) -> None:
        """Continue from what `save`, of any framework, wrote."""
        _, parameters = self.model_class.from_pretrained(folder, check_manifest=False, _do_init=False)
        held = read_tensors(folder / "optimizer.safetensors")
        state = {
            moment: to_tree({key[:-2]: array for key, array in held.items() if key.endswith(f"/{moment}")})
            for moment in ("m", "v")
        }
        self._adopt(parameters, state)


class _Steps(NamedTuple):
    train: Callable[..., tuple[Tree, Tree, Array, Array]]
    look: Callable[..., dict[str, Array]]


@lru_cache(maxsize=4)
def _compiled(model_class: Any, config_json: str, dtype: Any, settings: TuneSettings) -> _Steps:
    """The steps of a model, compiled once for each shape of a batch."""
    config = ElectraConfig.from_dict(json.loads(config_json))
    model = model_class(config, dtype=dtype, _do_init=False)

    def outputs(parameters: Tree, inputs: Any, given: Any, key: Array | None = None) -> Any:
        """The module's answer, perhaps with targets it is given; with a key, with dropout."""
        return model.module.apply(
            {"params": parameters}, inputs["input_ids"], inputs["attention_mask"], inputs["token_type_ids"],
            deterministic=key is None, rngs={} if key is None else {"dropout": key}, return_dict=True, **given,
        )  # fmt: skip

    def train(
        parameters: Tree, state: Tree, inputs: Any, targets: Any, key: Array, learning_rate: Array
    ) -> tuple[Tree, Tree, Array, Array]:
        """Parameters and moments after an update, or as they were where it is not finite; the loss and the gradient's norm."""

        def loss_of(parameters: Tree) -> Array:
            answer = outputs(parameters, inputs, given_to(model_class, targets), key)
            return tuning_loss(answer, targets, config.problem_type, settings.loss, ops)

        loss, gradients = jax.value_and_grad(loss_of)(parameters)
        clipped, norm = clip(gradients, settings.clip_norm)
        new = update(
            parameters, clipped, state, learning_rate=learning_rate, weight_decay=settings.weight_decay,
            epsilon=settings.adam_epsilon, rates=_rates(parameters, config, settings),
        )  # fmt: skip
        is_finite = jnp.isfinite(loss) & jnp.isfinite(norm)
        kept = jax.tree.map(lambda after, before: jnp.where(is_finite, after, before), new, (parameters, state))
        return *kept, loss, norm

    def look(parameters: Tree, inputs: Any) -> dict[str, Array]:
        found = outputs(parameters, inputs, {})
        return {name: value.astype(jnp.float32) for name, value in found.items() if isinstance(value, jax.Array)}

    return _Steps(jax.jit(train, donate_argnums=(0, 1)), jax.jit(look))


def _rates(parameters: Tree, config: ElectraConfig, settings: TuneSettings) -> Tree:
    """What the learning rate of each parameter is multiplied by, as a tree."""
    names = {path: from_flax_path(path) for path, _ in leaves(parameters)}
    rates = rates_of(names.values(), config, settings)
    return jax.tree_util.tree_map_with_path(
        lambda path, _: rates[names[tuple(key.key for key in path)]], dict(parameters)
    )
