"""Run by torchrun: every head sharded layer by layer over the processes (FSDP2) answers and learns as it does whole."""

import copy
import os
import sys

import torch
import torch.distributed as dist
from every_head import answer, inputs_of, model_of
from torch.distributed.fsdp import fully_shard

from electra.heads import HEADS


def main() -> None:
    dist.init_process_group("gloo")
    for head in HEADS:
        whole = model_of(head).train()
        sharded = copy.deepcopy(whole)
        for layer in sharded.base_model.encoder.layer:
            fully_shard(layer)
        fully_shard(sharded)
        expected, found = answer(whole, inputs_of(head)), answer(sharded, inputs_of(head))
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
        for result in (expected, found):
            result.square().mean().backward()
        gradients = {name: parameter.grad for name, parameter in whole.named_parameters()}
        for name, parameter in sharded.named_parameters():
            if gradients[name] is not None:
                torch.testing.assert_close(
                    parameter.grad.full_tensor(), gradients[name], rtol=1e-5, atol=1e-6, msg=name
                )
        if dist.get_rank() == 0:
            print(f"{head.name} over {dist.get_world_size()} processes")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # a thread of gloo that frees a tensor while the interpreter ends would abort it (PyTorch issue 190489)
