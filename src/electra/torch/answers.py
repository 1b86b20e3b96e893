"""A model with a head that answers and learns nothing: arrays in, arrays out, with padding as it is or without it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

import electra.torch
from electra.config import ElectraConfig
from electra.torch.backend import device_of, has_fast_bfloat16
from electra.torch.initial import fill
from electra.torch.unpadded import remove_padding

Arrays = Mapping[str, np.ndarray[Any, Any]]


class Answers:
    """A model of the class `class_name` with these weights, float32 by Hugging Face's names.

    precision   float32, bfloat16, or auto: bfloat16 where the device multiplies it fast
    unpadded    on the CPU: without padding (electra.torch.unpadded)
    threads     of the processor; 0: as many as PyTorch takes
    """

    def __init__(
        self, class_name: str, config: ElectraConfig, weights: Arrays, *, device: str = "auto", precision: str = "float32",
        unpadded: bool = False, threads: int = 0,
    ) -> None:  # fmt: skip
        if threads:
            torch.set_num_threads(threads)
        self.device = device_of(device)
        if precision == "auto":
            precision = "bfloat16" if has_fast_bfloat16(self.device) else "float32"
        self.precision, self.unpadded = precision, unpadded
        with torch.device("meta"):
            model = getattr(electra.torch, class_name)(config)
        model.to_empty(device="cpu").tie_weights()
        fill(dict(model.named_parameters()), weights)
        self.model = model.to(self.device).eval()
        if unpadded:
            remove_padding(self.model, getattr(torch, precision))

    @torch.inference_mode()
    def predict(self, inputs: Arrays) -> dict[str, np.ndarray[Any, Any]]:
        """The answer's fields by name, in float32 and with the padding."""
        given = {name: torch.from_numpy(array).to(self.device) for name, array in inputs.items()}
        is_cast = self.precision == "bfloat16" and not self.unpadded
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=is_cast):
            outputs = self.model(**given, return_dict=True)
        return {name: value.float().cpu().numpy() for name, value in outputs.items() if isinstance(value, Tensor)}
