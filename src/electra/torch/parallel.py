"""What several processes do to a training step: DDP or FSDP around the networks and their loss, and sums over all.

DDP: each process holds all weights and moments, and gradients are averaged while the backward pass runs. FSDP: each holds a
share of every tensor, and a layer is brought together when it is computed.

Unusual here: the loss of a process is divided by what all of them count, so the gradients have to be added; both engines
average, so the loss is multiplied by the number of processes first. And a checkpoint is what one process would write.
"""

import os
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from electra.errors import ConfigError

Compute = Callable[..., Any]


def rank_and_size() -> tuple[int, int]:
    """Which process of how many this is; (0, 1) where they are not connected."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def local_device() -> int:
    """The number of the GPU that is this process's; ConfigError where there are more processes than GPUs."""
    number, count = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if number >= count:
        raise ConfigError(
            f"process {number} of this machine has no GPU of its own, {count} are there: start as many processes as GPUs, or "
            "train with --device cpu"
        )
    return number


def layers_of(networks: Mapping[str, Any]) -> list[nn.Module]:
    """The layers of all encoders, those that networks share once."""
    bases = [network.base_model for network in networks.values()]
    encoders = dict.fromkeys(base.encoder for base in bases if hasattr(base, "encoder"))
    return [layer for encoder in encoders for layer in encoder.layer]


class _Together(nn.Module):
    """Networks, and what is computed with them, as one module: that is what the engines wrap."""

    def __init__(self, networks: Mapping[str, nn.Module], compute: Compute) -> None:
        super().__init__()
        self.networks, self.compute = nn.ModuleDict(networks), compute

    def forward(self, *arguments: Any) -> dict[str, Any]:
        return dict(vars(self.compute(*arguments)))  # the engines look for tensors in plain containers


def distribute(networks: Mapping[str, nn.Module], compute: Compute, how: str, device: torch.device) -> nn.Module:
    """The networks spread over all processes; the module answers what `compute` does, as a dict."""
    together = _Together(networks, compute)
    if how == "ddp":
        return DistributedDataParallel(together, gradient_as_bucket_view=True)
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    # It warns of what is done in place on a layer's answer; nothing here is.
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view tensor")
    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    for layer in layers_of(networks):
        fully_shard(layer, mesh=mesh)
    # The root too is taken apart again after each pass, so that its parameters are always shares between steps.
    fully_shard(together, mesh=mesh, reshard_after_forward=True)
    return together


def sums_gradients(module: nn.Module, is_last: bool) -> AbstractContextManager[Any]:
    """Around a part of a batch: gradients are sent to the other processes in the backward pass of the last part."""
    if isinstance(module, DistributedDataParallel):
        return nullcontext() if is_last else module.no_sync()
    module.set_requires_gradient_sync(is_last)  # type: ignore[operator]
    return nullcontext()


def summed(values: Tensor) -> Tensor:
    """The sum of a tensor over all processes."""
    if rank_and_size()[1] > 1:
        dist.all_reduce(values)
    return values


def whole(tensor: Tensor) -> Tensor:
    """A tensor of which each process holds a share, brought together; every process has to ask. Others as they are."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def own(tensor: Tensor) -> Tensor:
    """This process's share of a tensor, in the same memory; the tensor itself where it is not shared."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def share_of(tensor: Tensor, like: Any) -> Tensor:
    """The share of a whole tensor that this process has of the tensor `like`."""
    if not hasattr(like, "to_local"):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return own(distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None))


def whole_model(model: Any) -> Any:
    """A model whose tensors are whole, on the processor; every process has to ask."""
    tensors = {name: whole(tensor).cpu() for name, tensor in model.state_dict().items()}
    with torch.device("meta"):
        copy = type(model)(model.config)
    copy.load_state_dict(tensors, assign=True)
    return copy
