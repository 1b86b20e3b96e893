"""Kill a fine-tuning with SIGKILL in its middle, then let it go on: python killed_tuning.py TOKENIZER RUN

Forked after the imports; the parent kills when the second evaluation of the first seed was written, for real.
"""

import os
import signal
import sys
import time
from pathlib import Path

import torch

import electra.torch.tuner  # noqa: F401 - imported here once
from electra.tokenization import load_tokenizer
from electra.training.finetune import finetune

sys.path.insert(0, str(Path(__file__).parent))
from small_tuning import data_of, encoder_of, settings_of

torch.set_num_threads(1)


def tune(tokenizer, run):
    encoder = encoder_of(tokenizer, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1)
    finetune(data_of(), encoder, settings_of(seeds=2, evaluations=8), run, panel=False, report=False)


def main():
    tokenizer, run = load_tokenizer(sys.argv[1]), Path(sys.argv[2])
    child = os.fork()
    if child == 0:
        tune(tokenizer, run)
        os._exit(0)
    metrics = run / "seed-0" / "metrics.jsonl"
    while not metrics.exists() or metrics.read_text().count("evaluation") < 2:
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the run ended with status {status} before it was killed"
    assert not (run / "seed-0" / "result.json").exists()
    tune(tokenizer, run)


if __name__ == "__main__":
    main()
