"""A fine-tuning whose batch the memory does not hold: python little_memory_tuning.py TOKENIZER RUN; exits as the command does."""

import os
import resource
import sys
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import torch

from electra.errors import TryAgainError
from electra.tokenization import load_tokenizer
from electra.training import tune_seed
from electra.training.finetune import finetune

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from small_tuning import data_of, encoder_of, settings_of

torch.set_num_threads(1)
open_tuner = tune_seed.open_tuner


def opened(*arguments, **named):
    """The run's tuner, and from here on little memory."""
    tuner = open_tuner(*arguments, **named)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + (20 << 20), resource.RLIM_INFINITY))
    return tuner


tune_seed.open_tuner = opened
given = data_of(count=3000), encoder_of(load_tokenizer(sys.argv[1])), settings_of(batch_size=3000, epochs=1)
try:
    finetune(*given, Path(sys.argv[2]), panel=False, report=False)
except TryAgainError as error:
    print(error)
    sys.exit(error.exit_code)
