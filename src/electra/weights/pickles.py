"""pytorch_model.bin and its shards, which older tools wrote: pickles, read only when asked, by torch's weights-only loader.

A pickle can carry code that runs when it is read. That loader knows tensors and plain containers, and refuses the rest.
"""

from pathlib import Path
from typing import Any

from electra.errors import WeightsError, install_hint
from electra.weights.files import PICKLE, Arrays, read_shards

PICKLE_INDEX = f"{PICKLE}.index.json"


def read_pickle(path: Path) -> Arrays:
    """The tensors of a pytorch_model.bin, or of the files its index names; bfloat16 widened to float32.

    Raises WeightsError where a file holds anything but tensors by name, MissingDependencyError without torch.
    """
    if path.name == PICKLE_INDEX:
        return read_shards(path, read_pickle)
    try:
        import torch
    except ImportError:
        raise install_hint("torch", "torch", f"reading {path}, a pickle,") from None
    if not path.is_file():
        raise WeightsError(f"{path} does not exist; restore it from a good copy or download it again")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever the unpickler raises on a file of unknown content
        raise WeightsError(f"{path} was refused by the weights-only loader: {str(error).splitlines()[0]}") from None
    values = state if isinstance(state, dict) else {type(state).__name__: state}
    others = [str(name) for name, value in values.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise WeightsError(
            f"{path} holds {', '.join(others[:6])}, which are no tensors; expected a model's state_dict(). The file of a "
            "training that goes on? Save the model alone, with save_pretrained"
        )
    return {str(name): _to_numpy(torch, tensor) for name, tensor in values.items()}


def refuse_pickle(path: Path) -> WeightsError:
    """The error for weights that are only there as a pickle, where nobody asked to read one."""
    return WeightsError(
        f"{path.parent} holds its weights only as {path.name}, a pickle, which can carry code that runs when it is "
        "read. If you trust its origin, pass allow_pickle_weights=True (torch's weights-only loader reads it), or turn it "
        "into safetensors: electra convert FOLDER NEW --allow-pickle-weights"
    )


def _to_numpy(torch: Any, tensor: Any) -> Any:
    wide = tensor.to(torch.float32) if tensor.dtype == torch.bfloat16 else tensor
    return wide.detach().contiguous().numpy()
