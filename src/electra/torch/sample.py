"""What the model of a folder answers to given ids, always on the CPU and in float32, so that answers can be compared."""

from pathlib import Path
from typing import Any

import torch

from electra.weights.files import Array


def answer(kind: Any, folder: Path, input_ids: Array) -> Any:
    """The output of a class of ours with the weights of `folder`; input_ids (B, L), or (B, C, L) for multiple choice."""
    model = kind.from_pretrained(folder, dtype=torch.float32, check_manifest=False)
    with torch.no_grad():
        return model(torch.from_numpy(input_ids), return_dict=True)
