"""A run whose batches the memory does not hold: python little_memory.py CORPUS RUN ROWS

The memory of the process is limited from when its networks are there to its checkpoint, so that a batch of ROWS rows is too
much, and parts of it are not.
"""

import os
import resource
import sys
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # threads of its own would have no room for their stacks

import tokenizers  # noqa: F401 - mapped before memory is short
import torch

from electra.errors import TryAgainError
from electra.training import memory
from electra.training import pretrain as module
from electra.training.pretrain import pretrain

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from small_run import small_settings

ROOM, MORE = 300 << 20, 100 << 20
torch.set_num_threads(1)
open_backend, give_back = module.open_backend, memory.give_back_memory


def opened(*arguments):
    """The run's backend, and little memory until it saves."""
    backend = open_backend(*arguments)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + ROOM, resource.RLIM_INFINITY))
    save = backend.save

    def with_memory(folder):
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        save(folder)

    backend.save = with_memory
    return backend


def given_back():
    """A little more memory after each attempt, as where another program ends: threads and compiled kernels need some, too."""
    give_back()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (soft + MORE, hard))


corpus, run, rows = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
module.open_backend, memory.give_back_memory = opened, given_back
settings = small_settings(batch_size=rows, steps=2, log_every=1, eval_every=2, eval_rows=64, max_length=64)
try:
    pretrain(settings, corpus, run, panel=False)
except TryAgainError as error:
    print(error)
    sys.exit(error.exit_code)
