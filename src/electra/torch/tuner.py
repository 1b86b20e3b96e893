"""Fine-tuning in PyTorch: a model with a head, its optimizer, and one step. The twin of every other framework's tuner.

Unusual here: the dropout of a step is seeded by the step, so there is no random state to save; and where it can be, the encoder
is that of fused.py, which is the same and faster.
"""

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from electra.config import ElectraConfig
from electra.errors import RunFailedError
from electra.losses import tuning_loss
from electra.torch import fused, ops
from electra.torch.backend import device_of, has_fast_bfloat16, keep_freed_memory, step_seed
from electra.torch.initial import fill
from electra.torch.optim import Adam
from electra.training.tune_settings import TuneSettings
from electra.training.tuner import Arrays, begin_weights, find_class, given_to, rates_of
from electra.weights.files import read_tensors, write_tensors


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
        keep_freed_memory()
        if settings.threads:
            torch.set_num_threads(settings.threads)
        self.settings, self.seed = settings, seed
        self.device = device_of(settings.device)
        self.bfloat16 = settings.precision == "bfloat16" or (
            settings.precision == "auto" and has_fast_bfloat16(self.device)
        )
        self.is_fused = fused.can_fuse(config, torch.bfloat16 if self.bfloat16 else torch.float32, self.device)
        self.model_class = find_class("torch", class_name)
        model = self.model_class(config)
        shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
        fill(dict(model.named_parameters()), begin_weights(shapes, weights, config.initializer_range, seed))
        self._adopt(model)

    def _adopt(self, model: Any) -> None:
        self.model = model.to(self.device).train()
        self.model.check_inputs = False  # features were made by the model's own tokenizer and labels
        if self.is_fused:
            fused.fuse(self.model.electra, with_padding=self.model.reads_padding)
        parameters = dict(self.model.named_parameters())
        self.optimizer = Adam(
            parameters, weight_decay=self.settings.weight_decay, epsilon=self.settings.adam_epsilon,
            rates=rates_of(list(parameters), self.model.config, self.settings),
        )  # fmt: skip

    def describe(self) -> dict[str, Any]:
        """Device, precision, threads and parameters of this run."""
        return {
            "framework": f"torch {torch.__version__}",
            "device": str(self.device),
            "precision": "bfloat16" if self.bfloat16 else "float32",
            "fused": self.is_fused,
            "threads": torch.get_num_threads(),
            "parameters": self.model.num_parameters(),
        }

    # -- one step -----------------------------------------------------------------------------------------------------

    def _outputs(self, inputs: Mapping[str, Tensor]) -> Any:
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bfloat16):
            return self.model(**inputs, return_dict=True)

    def _to_device(self, arrays: Arrays) -> dict[str, Tensor]:
        return {name: torch.from_numpy(array).to(self.device, non_blocking=True) for name, array in arrays.items()}

    def train_step(self, inputs: Arrays, targets: Arrays, *, step: int, learning_rate: float) -> dict[str, float]:
        """One update on a batch; nothing changes where the loss or the gradient is not finite."""
        torch.manual_seed(step_seed(self.seed, step))
        held, problem_type = self._to_device(targets), self.model.config.problem_type
        outputs = self._outputs(self._to_device(inputs) | given_to(self.model_class, held))
        loss = tuning_loss(outputs, held, problem_type, self.settings.loss, ops)
        loss.backward()
        norm = self.optimizer.gradient_norm()
        values = dict(zip(("loss", "gradient_norm"), torch.stack([loss.detach(), norm]).tolist(), strict=True))
        if not all(map(isfinite, values.values())):
            self.optimizer.forget_gradients()
            raise RunFailedError(f"step {step}: loss {values['loss']}, gradient norm {values['gradient_norm']}")
        self.optimizer.update(learning_rate=learning_rate, norm=norm, clip_norm=self.settings.clip_norm)
        return values

    @torch.no_grad()
    def predict(self, inputs: Arrays) -> dict[str, np.ndarray[Any, Any]]:
        """The answers of one batch without dropout, in float32 and with the padding."""
        self.model.eval()
        outputs = self._outputs(self._to_device(inputs))
        self.model.train()
        return {name: value.float().cpu().numpy() for name, value in outputs.items() if isinstance(value, Tensor)}

    # -- files --------------------------------------------------------------------------------------------------------

    def save_model(self, folder: Path) -> None:
        """A model folder."""
        self.model.save_pretrained(folder)

    def save(self, folder: Path) -> None:
        """A model folder, and optimizer.safetensors with the moments NAME/m and NAME/v."""
        self.save_model(folder)
        state = {name: tensor.cpu().numpy() for name, tensor in self.optimizer.state.items()}
        write_tensors(folder / "optimizer.safetensors", state)

    def load(self, folder: Path) -> None:
        """Continue from what `save` wrote."""
        self._adopt(self.model_class.from_pretrained(folder, check_manifest=False))
        held = read_tensors(folder / "optimizer.safetensors")
        self.optimizer.load({name: torch.tensor(array) for name, array in held.items()})
