"""A pretrained network that answers and learns nothing: arrays in, arrays out. The twin of every other framework's reader."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from electra.torch import heads
from electra.torch.backend import device_of

Array = np.ndarray[Any, Any]


class Reader:
    """The network of a model folder, of the class `class_name`: a discriminator or a generator.

    device    cpu, cuda, cuda:1; auto: a GPU where there is one
    threads   of the processor; 0: as many as PyTorch takes
    """

    def __init__(self, class_name: str, folder: Path, *, device: str, threads: int) -> None:
        if threads:
            torch.set_num_threads(threads)
        self.device = device_of(device)
        self.model = getattr(heads, class_name).from_pretrained(folder).to(self.device).eval()
        self.model.check_inputs = False  # rows come from the model's own tokenizer, cut to what it reads
        self.config = self.model.config

    @torch.no_grad()
    def replaced(self, inputs: Mapping[str, Array]) -> Array:
        """Of a discriminator: logits (B, L) float32, above 0 for replaced."""
        return self.model(**self._on_device(inputs))[0].float().cpu().numpy()

    @torch.no_grad()
    def tokens(self, inputs: Mapping[str, Array], positions: Array) -> Array:
        """Of a generator: logits (B, V) float32 of what stands at one position of each row; positions (B,)."""
        hidden = self.model.electra(**self._on_device(inputs))[0]  # (B, L, H)
        asked = hidden[torch.arange(len(positions)), torch.from_numpy(positions).long().to(self.device)]  # (B, H)
        return self.model.mlm_logits(asked).float().cpu().numpy()

    def _on_device(self, inputs: Mapping[str, Array]) -> dict[str, Tensor]:
        return {name: torch.from_numpy(array).to(self.device) for name, array in inputs.items()}
