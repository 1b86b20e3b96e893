"""Pretraining in PyTorch: the networks, their optimizer, and one step. The twin of every other framework's backend.

Unusual here: the dropout of a step is seeded by the step, so there is no random state to save; the allocator of the C library
is told to keep its pages, which costs memory and saves a fifth of a step on a CPU; and where they can be, the encoders and the
generator's answers are those of fused.py, which are the same and faster.
"""

import ctypes
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from electra import objective
from electra.batch import Batch, Masked, map_arrays
from electra.config import ElectraConfig
from electra.errors import ConfigError, RunFailedError
from electra.objective import LOSSES, Guess, Outcome, Totals, count_totals, mean
from electra.objectives import loss_of
from electra.torch import fused, ops
from electra.torch.initial import fill
from electra.torch.networks import CLASSES, differences, share
from electra.torch.optim import Adam
from electra.torch.parallel import (
    distribute,
    layers_of,
    local_device,
    rank_and_size,
    summed,
    sums_gradients,
    whole,
    whole_model,
)
from electra.torch.towers import one_sided
from electra.training.backend import Part
from electra.training.metrics import Observed, shares
from electra.training.networks import TOWERS, first_arrays
from electra.training.settings import PretrainSettings
from electra.weights.files import Arrays, read_tensors, write_tensors


class Backend:
    """Networks by name (electra.training.networks), trained jointly by one optimizer."""

    def __init__(
        self,
        networks: dict[str, ElectraConfig],
        settings: PretrainSettings,
        special_ids: dict[str, int],
        weights: Mapping[str, Arrays] | None = None,
    ) -> None:
        keep_freed_memory()
        if settings.threads:
            torch.set_num_threads(settings.threads)
        self.settings, self.special_ids = settings, special_ids
        self.rank, self.processes = rank_and_size()
        self.is_sharded = self.processes > 1 and settings.parallel == "fsdp"
        self.device = device_of(settings.device)
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        self.bfloat16 = settings.precision == "bfloat16" or (
            settings.precision == "auto" and has_fast_bfloat16(self.device)
        )
        dtype = torch.bfloat16 if self.bfloat16 else torch.float32
        both_sided = [config for name, config in networks.items() if name not in (*TOWERS, "cloze")]
        # What is computed outside of the layers' own calls is not brought together from its shares.
        is_plain = settings.compile or self.is_sharded
        self.is_fused = not is_plain and all(fused.can_fuse(c, dtype, self.device) for c in both_sided)
        models = {name: CLASSES[name](config) for name, config in networks.items()}
        for name, arrays in (weights or first_arrays(settings, networks)).items():
            fill(dict(models[name].named_parameters()), arrays)
        self._adopt(models)

    def _adopt(self, models: dict[str, Any], state: Mapping[str, Tensor] | None = None) -> None:
        share(models, self.settings, state or {})
        self.models = {name: model.to(self.device) for name, model in models.items()}
        self.main = next(iter(self.models))
        if self.settings.generator == "fixed":
            self.models["generator"].requires_grad_(False)
        self._set_training(True)
        for model in self.models.values():
            model.check_inputs = False  # the corpus was checked against the vocabulary when the run began
        if self.settings.compile:
            for layer in layers_of(self.models):
                layer.compile()
        if self.processes > 1:
            self.together = distribute(self.models, self.outcome, self.settings.parallel, self.device)
        self.optimizer = Adam(
            self.parameters(), weight_decay=self.settings.weight_decay, epsilon=self.settings.adam_epsilon,
            betas=(0.9, self.settings.adam_beta2),
        )  # fmt: skip

    def _set_training(self, is_training: bool) -> None:
        """Dropout on or off; a generator that is not trained has none."""
        for name, model in self.models.items():
            model.train(is_training and not (name == "generator" and self.settings.generator == "fixed"))

    def parameters(self) -> dict[str, Tensor]:
        """Every trained tensor once, as NETWORK.NAME; what networks share bears the first one's name.

        A shifted table is trained by its difference, under the table's name.
        """
        names: dict[Tensor, str] = {}
        for network, model in self.models.items():
            for name, parameter in model.named_parameters():
                if parameter.requires_grad:
                    names.setdefault(parameter, f"{network}.{name.replace('.difference', '.weight')}")
        return {name: parameter for parameter, name in names.items()}

    def describe(self) -> dict[str, Any]:
        """Device, precision, threads and parameters of this run."""
        return {
            "framework": f"torch {torch.__version__}",
            "device": str(self.device) if self.processes == 1 else self.device.type,
            "processes": self.processes,
            "precision": "bfloat16" if self.bfloat16 else "float32",
            "fused": self.is_fused,
            "threads": torch.get_num_threads(),
            "parameters": sum(parameter.numel() for parameter in self.parameters().values()),
        }

    # -- one step -----------------------------------------------------------------------------------------------------

    def _generate(self, input_ids: Tensor, batch: Batch, positions: Tensor) -> Tensor:
        """What the generator says: (B, M, V) at the positions, or (B, L, V) where it is two towers."""
        if self.settings.generator == "two_towers":
            return self._read_from_both_sides(input_ids, batch)
        if self.settings.generator == "uniform":
            return torch.zeros(*positions.shape, self.models[self.main].config.vocab_size, device=self.device)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.settings.generator != "fixed"):
            return self._name(self.models.get("generator") or self.models["masked_lm"], input_ids, batch, positions)

    def _name(self, model: Any, input_ids: Tensor, batch: Batch, positions: Tensor) -> Tensor:
        return model.mlm_logits(self._asked(model, input_ids, batch, positions))  # (B, M, V)

    def _asked(self, model: Any, input_ids: Tensor, batch: Batch, positions: Tensor) -> Tensor:
        # Only the asked positions go through the vocabulary-wide head: the rest would be most of the step's work.
        return ops.gather(self._encode(model, input_ids, batch), positions)  # (B, M, H)

    def _guess(self, _: Any, batch: Batch, masked: Masked, __: Any, ___: Any, totals: Totals | None = None) -> Guess:
        """What objective.guess answers, without the log-probabilities."""
        model = self.models["generator"]
        asked = self._asked(model, masked.input_ids, batch, masked.positions)
        errors, sampled_ids = fused.guess(model, asked, masked.original_ids, masked.weights, masked.noise)
        loss = mean(errors, masked.weights, totals and totals.predictions)
        return Guess(loss=loss, mlm_loss=loss, sampled_ids=sampled_ids)

    def _read_from_both_sides(self, input_ids: Tensor, batch: Batch) -> Tensor:
        sides = one_sided(objective.attention_mask(batch))
        left, right = (
            self.models[name](
                input_ids, attention_mask=seen, token_type_ids=batch.token_type_ids, position_ids=batch.position_ids
            )[0]
            for name, seen in zip(TOWERS, sides, strict=True)
        )
        return self.models["cloze"].cloze_logits(
            left, right, self.models[self.main].get_input_embeddings().weight
        )  # (B, L, V)

    def _answer(self, input_ids: Tensor, batch: Batch, positions: Tensor | None = None) -> Any:
        """What the main network says of a text: as objectives.py asks it."""
        model = self.models[self.main]
        if self.settings.objective == "replace_mlm":
            assert positions is not None
            return self._name(model, input_ids, batch, positions)  # (B, M, V)
        hidden = self._encode(model, input_ids, batch)  # (B, L, H)
        logits = model.discriminator_predictions(hidden)  # (B, L)
        if self.settings.objective == "all_tokens_mlm":
            return self.models["masked_lm"].mlm_logits(hidden), logits  # (B, L, V)
        return logits

    def _encode(self, model: Any, input_ids: Tensor, batch: Batch) -> Tensor:
        if self.is_fused:
            seen = batch.attention_mask if batch.document_ids is None else batch.document_ids
            return fused.encode(model.electra, input_ids, seen, batch.token_type_ids, batch.position_ids)
        return model.electra(
            input_ids,
            attention_mask=objective.attention_mask(batch),
            token_type_ids=batch.token_type_ids,
            position_ids=batch.position_ids,
        )[0]

    def outcome(self, part: Part, totals: Totals | None = None, with_probabilities: bool = True) -> Outcome:
        """The objective on one part of a batch, whose arrays are NumPy's; if need be, with the generator's probabilities."""
        batch, masked = map_arrays(part[0], self._to_device), map_arrays(part[1], self._to_device)
        is_fused = self.is_fused and not with_probabilities and _guesses_fused(self.settings)
        loss = loss_of(self.settings, self._guess if is_fused else None)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bfloat16):
            return loss(self._generate, self._answer, batch, masked, self.settings, ops, totals)

    def _outcome(self, *arguments: Any) -> Outcome:
        """The same, of the networks that are spread over several processes where they are."""
        return self.outcome(*arguments) if self.processes == 1 else Outcome(**self.together(*arguments))

    def _to_device(self, array: Any) -> Tensor:
        return torch.from_numpy(array).to(self.device, non_blocking=True)

    def train_step(self, parts: Sequence[Part], *, step: int, learning_rate: float) -> dict[str, float]:
        """One update on the parts of a batch; nothing changes where the loss or the gradient is not finite."""
        torch.manual_seed(step_seed(self.settings.seed, step, self.rank))
        totals, sums = self._totals(parts), dict[str, Tensor]()
        try:
            for number, part in enumerate(parts, start=1):
                with self._sums_gradients(number == len(parts)):
                    outcome = self._outcome(part, totals, False)
                    (outcome.loss * self.processes).backward()
                for name, value in _counts(outcome).items():
                    sums[name] = sums.get(name, 0) + value
        except Exception:  # such as too little memory: the same step may come again
            self.optimizer.forget_gradients()
            raise
        norm = self.optimizer.gradient_norm()
        counted = summed(torch.stack([value.float() for value in sums.values()]))
        numbers = torch.cat([counted, norm.float()[None]]).tolist()  # one wait, not ten
        values = dict(zip([*sums, "gradient_norm"], numbers, strict=True))
        if not all(map(isfinite, (values["loss"], values["gradient_norm"]))):
            self.optimizer.forget_gradients()
            raise RunFailedError(f"step {step}: loss {values['loss']}, gradient norm {values['gradient_norm']}")
        self.optimizer.update(learning_rate=learning_rate, norm=norm, clip_norm=self.settings.clip_norm)
        return shares(values)

    def _totals(self, parts: Sequence[Part]) -> Totals:
        """What the losses of the whole batch are divided by."""
        counts = count_totals(parts)
        return counts if self.processes == 1 else Totals(*summed(torch.tensor(counts, device=self.device)).unbind())

    def _sums_gradients(self, is_last: bool) -> AbstractContextManager[Any]:
        return nullcontext() if self.processes == 1 else sums_gradients(self.together, is_last)

    @torch.no_grad()
    def observe(self, part: Part) -> Observed:
        """One batch without dropout and without learning."""
        self._set_training(False)
        outcome = self._outcome(part)
        self._set_training(True)
        batch, masked = part
        log_probabilities = outcome.mlm_log_probabilities
        errors = -ops.take(log_probabilities, self._to_device(masked.original_ids))
        return Observed(
            mlm_errors=errors.cpu().numpy(),
            mlm_ids=ops.argmax(log_probabilities).cpu().numpy(),
            original_ids=masked.original_ids,
            weights=masked.weights,
            real=batch.attention_mask,
            sampled_ids=_numpy(outcome.sampled_ids),
            logits=_numpy(outcome.discriminator_logits),
            is_replaced=_numpy(outcome.is_replaced),
            judged=_numpy(outcome.judged),
            is_right=_numpy(outcome.is_right),
            prediction_errors=_numpy(outcome.prediction_errors),
            cloze_loss=_numpy(outcome.cloze_loss),
            candidates=masked.candidates,
        )

    # -- files --------------------------------------------------------------------------------------------------------

    def save(self, folder: Path | None) -> None:
        """A model folder per network, and optimizer.safetensors with the moments NETWORK.NAME/m and /v.

        In a folder a shifted table is the sum; its difference is NETWORK.NAME/difference beside the moments. None: this
        process gives its share to the one that writes.
        """
        if folder is None and not self.is_sharded:
            return
        models = {name: whole_model(model) if self.is_sharded else model for name, model in self.models.items()}
        state = {name: whole(tensor).cpu().numpy() for name, tensor in self.optimizer.state.items()}
        state |= differences(self.models, self.settings)
        if folder is None:
            return
        for name, model in models.items():
            model.save_pretrained(folder / name)
        write_tensors(folder / "optimizer.safetensors", state)

    def load(self, folder: Path) -> None:
        """Continue from what `save` wrote."""
        state = {name: torch.tensor(array) for name, array in read_tensors(folder / "optimizer.safetensors").items()}
        models = {name: CLASSES[name].from_pretrained(folder / name, check_manifest=False) for name in self.models}
        self._adopt(models, state)
        self.optimizer.load(state)


def _guesses_fused(settings: PretrainSettings) -> bool:
    """Whether errors and samples are what fused.guess answers: those of the paper's settings."""
    has_temperature = settings.temperature != 1 or settings.final_temperature is not None
    is_plain = not (has_temperature or settings.disallow_correct or settings.gumbel_noise)
    return is_plain and settings.objective not in ("mlm", "electric") and settings.generator in ("own", "tied", "fixed")


def _counts(outcome: Outcome) -> dict[str, Tensor]:
    """What a step reports, as sums that add up over the parts of a batch."""
    losses = {name: getattr(outcome, name) for name in LOSSES}
    sums = {name: loss.detach() for name, loss in losses.items() if loss is not None}
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


def _numpy(tensor: Tensor | None) -> Any:
    return None if tensor is None else (tensor.float() if tensor.is_floating_point() else tensor).cpu().numpy()


def step_seed(seed: int, step: int, rank: int = 0) -> int:
    """The seed of a step's dropout in one of several processes."""
    return (seed * 1_000_003 + step + (rank << 40)) % (1 << 63)


def device_of(name: str) -> torch.device:
    """The device called `name`; ConfigError where this machine, or this torch, has none.

    One of several processes has a GPU of its own for `auto` and `cuda`.
    """
    name = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    if name == "cuda" and torch.cuda.is_available() and rank_and_size()[1] > 1:
        name = f"cuda:{local_device()}"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(f"device is {name!r}, which cannot be used here: {str(error).splitlines()[0]}") from None
    return device


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products are faster than float32's here: a GPU that has them, or a CPU with AMX or AVX512_BF16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


def keep_freed_memory() -> None:
    """Let glibc keep and reuse freed pages instead of giving them back and faulting them in again at every step."""
    if not sys.platform.startswith("linux"):
        return
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(trim_threshold, (1 << 31) - 1)
        libc.mallopt(mmap_threshold, 1 << 30)
