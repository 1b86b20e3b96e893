"""Pretraining in TensorFlow: the networks, their optimizer, and one step. The twin of every other framework's backend.

Unusual here: the dropout of a step is seeded by the step, so there is no random state to save; and the gradient and the
update are two graphs, so that a loss that is not finite is seen between them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from electra import objective
from electra.batch import Batch, Masked, map_arrays
from electra.config import ElectraConfig
from electra.errors import ConfigError, RunFailedError
from electra.objective import LOSSES, Outcome, Totals, count_totals
from electra.objectives import loss_of
from electra.tf import ops
from electra.tf.initial import fill
from electra.tf.modules import dropout_seeded_by
from electra.tf.networks import CLASSES, differences, share, summed
from electra.tf.optim import adam, clip, moments, set_moments, update
from electra.tf.pretrained import policy
from electra.tf.towers import one_sided
from electra.training.backend import Part
from electra.training.metrics import Observed, shares
from electra.training.networks import TOWERS, first_arrays
from electra.training.settings import PretrainSettings
from electra.weights.files import Arrays, read_tensors, write_tensors
from electra.weights.translation import transposed

Tensor = Any  # tf.Tensor; TensorFlow has no types for mypy
LAYERS = 1 << 16  # more than a model has layers with dropout: seeds of the parts of a step are so far apart


class Backend:
    """Networks by name (electra.training.networks), trained jointly by one optimizer."""

    def __init__(
        self,
        networks: dict[str, ElectraConfig],
        settings: PretrainSettings,
        special_ids: dict[str, int],
        weights: Mapping[str, Arrays] | None = None,
    ) -> None:
        if settings.threads:
            set_threads(settings.threads)
        self.settings, self.special_ids = settings, special_ids
        self.device = device_of(settings.device)
        self.bfloat16 = settings.precision == "bfloat16" or (
            settings.precision == "auto" and has_fast_bfloat16(self.device)
        )
        with self._place():
            models = {name: CLASSES[name](config) for name, config in networks.items()}
            for name, arrays in (weights or first_arrays(settings, networks)).items():
                fill(models[name].named_weights(), arrays)
            self._adopt(models)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """What is made inside is on the run's device and computes in its precision."""
        with tf.device(self.device), policy("mixed_bfloat16" if self.bfloat16 else "float32"):
            yield

    def _adopt(self, models: dict[str, Any], state: Mapping[str, Any] | None = None) -> None:
        share(models, self.settings, state or {})
        self.models, self.main = models, next(iter(models))
        for model in self.models.values():
            model.check_inputs = False  # the corpus was checked against the vocabulary when the run began
        self.optimizer = adam(
            self.parameters().items(), weight_decay=self.settings.weight_decay, epsilon=self.settings.adam_epsilon,
            betas=(0.9, self.settings.adam_beta2),
        )  # fmt: skip
        traced = partial(tf.function, jit_compile=self.settings.compile or None, autograph=False)
        self._traced_gradients, self._traced_update, self._traced_look = (
            traced(function) for function in (self._gradients, self._update, self._look)
        )

    def parameters(self) -> dict[str, Any]:
        """Every trained variable once, as NETWORK.NAME; what networks share bears the first one's name.

        A shifted table is trained by its difference, under the table's name.
        """
        names: dict[int, str] = {}
        variables: dict[str, Any] = {}
        for network, model in self.models.items():
            if network == "generator" and self.settings.generator == "fixed":
                continue
            for name, variable in model.named_weights().items():
                variables.setdefault(names.setdefault(id(variable), f"{network}.{name}"), variable)
        return variables

    def describe(self) -> dict[str, Any]:
        """Device, precision, threads and parameters of this run."""
        return {
            "framework": f"tensorflow {tf.__version__}",
            "device": self.device,
            "precision": "bfloat16" if self.bfloat16 else "float32",
            "threads": tf.config.threading.get_intra_op_parallelism_threads(),
            "parameters": sum(int(np.prod(variable.shape)) for variable in self.parameters().values()),
        }

    # -- one step -----------------------------------------------------------------------------------------------------

    def _generate(self, input_ids: Tensor, batch: Batch, positions: Tensor, *, training: bool) -> Tensor:
        """What the generator says: (B, M, V) at the positions, or (B, L, V) where it is two towers."""
        if self.settings.generator == "two_towers":
            return self._read_from_both_sides(input_ids, batch, training)
        if self.settings.generator == "uniform":
            return tf.zeros([*positions.shape, self.models[self.main].config.vocab_size])
        model = self.models.get("generator") or self.models["masked_lm"]
        return self._name(model, input_ids, batch, positions, training and self.settings.generator != "fixed")

    def _name(self, model: Any, input_ids: Tensor, batch: Batch, positions: Tensor, training: bool) -> Tensor:
        hidden = self._encode(model, input_ids, batch, training)  # (B, L, H)
        # Only the asked positions go through the vocabulary-wide head: the rest would be most of the step's work.
        return model.mlm_logits(ops.gather(hidden, positions))  # (B, M, V)

    def _read_from_both_sides(self, input_ids: Tensor, batch: Batch, training: bool) -> Tensor:
        left, right = (
            self.models[name](
                input_ids, attention_mask=seen, token_type_ids=batch.token_type_ids, position_ids=batch.position_ids,
                return_dict=True, training=training,
            )["last_hidden_state"]
            for name, seen in zip(TOWERS, one_sided(objective.attention_mask(batch)), strict=True)
        )  # fmt: skip
        words = self.models[self.main].get_input_embeddings().embeddings.value
        return self.models["cloze"].cloze_logits(left, right, words)  # (B, L, V)

    def _answer(self, input_ids: Tensor, batch: Batch, positions: Tensor | None = None, *, training: bool) -> Any:
        """What the main network says of a text: as objectives.py asks it."""
        model = self.models[self.main]
        if self.settings.objective == "replace_mlm":
            assert positions is not None
            return self._name(model, input_ids, batch, positions, training)  # (B, M, V)
        hidden = self._encode(model, input_ids, batch, training)  # (B, L, H)
        logits = model.discriminator_predictions(hidden)  # (B, L)
        if self.settings.objective == "all_tokens_mlm":
            return self.models["masked_lm"].mlm_logits(hidden), logits  # (B, L, V)
        return logits

    def _encode(self, model: Any, input_ids: Tensor, batch: Batch, training: bool) -> Tensor:
        return model.electra(
            input_ids,
            attention_mask=objective.attention_mask(batch),
            token_type_ids=batch.token_type_ids,
            position_ids=batch.position_ids,
            return_dict=True,
            training=training,
        )["last_hidden_state"]

    def outcome(self, part: Part, totals: Totals | None = None, seed: Tensor | None = None) -> Outcome:
        """The objective on one part of a batch; with dropout where it is given a seed (2,) for it."""
        batch, masked = map_arrays(part[0], tf.convert_to_tensor), map_arrays(part[1], tf.convert_to_tensor)
        loss, training = loss_of(self.settings), seed is not None
        generate, answer = (partial(function, training=training) for function in (self._generate, self._answer))
        with dropout_seeded_by(lambda: seed):
            return loss(generate, answer, batch, masked, self.settings, ops, totals)

    def _gradients(self, part: Any, totals: Any, seed: Tensor) -> tuple[list[Tensor], dict[str, Tensor]]:
        parameters = [parameter.value for parameter in self.parameters().values()]
        with tf.GradientTape() as tape:
            outcome = self.outcome(_part(part), totals, seed)
        found = tape.gradient(outcome.loss, parameters, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return [tf.convert_to_tensor(gradient) for gradient in found], _counts(outcome)

    def _update(self, gradients: Sequence[Tensor], learning_rate: Tensor) -> None:
        update(self.optimizer, gradients, learning_rate=learning_rate)

    def train_step(self, parts: Sequence[Part], *, step: int, learning_rate: float) -> dict[str, float]:
        """One update on the parts of a batch; nothing changes where the loss or the gradient is not finite."""
        with self._place():
            held = Totals(*(tf.constant(total, tf.float32) for total in count_totals(parts)))
            sums: Any = None
            for number, part in enumerate(parts):
                seed = tf.constant([step_seed(self.settings.seed, step), number * LAYERS], tf.int32)
                found = self._traced_gradients(_arrays(part), held, seed)
                sums = found if sums is None else tf.nest.map_structure(tf.add, sums, found)
            gradients, norm = clip(sums[0], self.settings.clip_norm)
            counts = sums[1] | {"gradient_norm": norm}
            numbers = tf.stack([tf.cast(value, tf.float32) for value in counts.values()]).numpy().tolist()
            values = dict(zip(counts, numbers, strict=True))
            if not all(map(isfinite, (values["loss"], values["gradient_norm"]))):
                raise RunFailedError(f"step {step}: loss {values['loss']}, gradient norm {values['gradient_norm']}")
            self._traced_update(gradients, tf.constant(learning_rate, tf.float32))
        return shares(values)

    def _look(self, part: Any) -> dict[str, Tensor]:
        outcome = self.outcome(_part(part))
        seen = {
            "mlm_errors": -ops.take(outcome.mlm_log_probabilities, part[1]["original_ids"]),
            "mlm_ids": ops.argmax(outcome.mlm_log_probabilities),
            "sampled_ids": outcome.sampled_ids,
            "logits": outcome.discriminator_logits,
            "is_replaced": outcome.is_replaced,
            "judged": outcome.judged,
            "is_right": outcome.is_right,
            "prediction_errors": outcome.prediction_errors,
            "cloze_loss": outcome.cloze_loss,
        }
        return {name: value for name, value in seen.items() if value is not None}

    def observe(self, part: Part) -> Observed:
        """One batch without dropout and without learning."""
        with self._place():
            seen = {name: _numpy(tensor) for name, tensor in self._traced_look(_arrays(part)).items()}
        batch, masked = part
        return Observed(
            original_ids=masked.original_ids,
            weights=masked.weights,
            real=batch.attention_mask,
            candidates=masked.candidates,
            **seen,
        )

    # -- files --------------------------------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """A model folder per network, and optimizer.safetensors with the moments NETWORK.NAME/m and /v.

        In a folder a shifted table is the sum; its difference is NETWORK.NAME/difference beside the moments.
        """
        with summed(self.models, self.settings):
            for name, model in self.models.items():
                model.save_pretrained(folder / name)
        state = moments(self.optimizer) | differences(self.models, self.settings)
        write_tensors(folder / "optimizer.safetensors", _turned(state))

    def load(self, folder: Path) -> None:
        """Continue from what `save`, of any framework, wrote."""
        with self._place():
            state = _turned(read_tensors(folder / "optimizer.safetensors"))
            models = {name: CLASSES[name].from_pretrained(folder / name, check_manifest=False) for name in self.models}
            self._adopt(models, state)
            set_moments(self.optimizer, state)


def _arrays(part: Part) -> tuple[dict[str, Any], dict[str, Any]]:
    """A part as trees of arrays, which a graph takes as its inputs."""
    batch, masked = ({k: v for k, v in vars(value).items() if v is not None} for value in part)
    return batch, masked


def _part(arrays: Any) -> Part:
    return Batch(**arrays[0]), Masked(**arrays[1])


def _turned(state: dict[str, Any]) -> dict[str, Any]:
    """Moments NETWORK.NAME/m from this framework's layout into everybody's, and back."""
    turned = {}
    for key, array in state.items():
        name = key.partition(".")[2].rpartition("/")[0]
        turned[key] = np.ascontiguousarray(transposed(name, array))
    return turned


def _counts(outcome: Outcome) -> dict[str, Tensor]:
    """What a step reports, as sums that add up over the parts of a batch."""
    losses = {name: getattr(outcome, name) for name in LOSSES}
    sums = {name: loss for name, loss in losses.items() if loss is not None}
    if outcome.is_right is None or outcome.judged is None:
        return sums
    judged = outcome.judged > 0
    replaced, right = outcome.is_replaced & judged, outcome.is_right & judged
    return sums | {
        "judged": _count(judged),
        "replaced": _count(replaced),
        "replaced_found": _count(replaced & right),
        "original_kept": _count(right & ~replaced),
    }


def _count(chosen: Tensor) -> Tensor:
    return tf.math.count_nonzero(chosen, dtype=tf.int32)


def _numpy(tensor: Tensor) -> Any:
    return tf.cast(tensor, tf.float32).numpy() if tensor.dtype.is_floating else tensor.numpy()


def step_seed(seed: int, step: int) -> int:
    """The seed of a step's dropout."""
    return (seed * 1_000_003 + step) % (1 << 31)


def device_of(name: str) -> str:
    """The device called `name`, cpu or cuda or cuda:1; ConfigError where this machine, or this TensorFlow, has none."""
    kind, _, number = name.partition(":")
    found = {"cpu": tf.config.list_logical_devices("CPU"), "cuda": tf.config.list_logical_devices("GPU")}
    if name == "auto":
        kind = "cuda" if found["cuda"] else "cpu"
    devices = found.get(kind, [])
    if int(number or 0) >= len(devices):
        held = ", ".join(device.name for devices in found.values() for device in devices)
        raise ConfigError(f"device is {name!r}, which cannot be used here; TensorFlow sees {held}")
    return str(devices[int(number or 0)].name)


def has_fast_bfloat16(device: str) -> bool:
    """Whether bfloat16 products are faster than float32's here: a GPU that has them."""
    if "GPU" not in device:
        return False
    gpus = tf.config.list_physical_devices("GPU")
    capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
    return bool(capability >= (8, 0))


def set_threads(threads: int) -> None:
    """Compute on so many threads; TensorFlow can be told only before it has computed anything in this process."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        pass
