"""Kill a fine-tuning with SIGKILL at random moments, then let it go on: python killed_tuning.py TOKENIZER RUN KILLS SEED

Forked after the imports; the first kill comes when the second evaluation of the first seed was written, the others at random.
"""

import os
import random
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
LONG = dict(seeds=2, epochs=40, evaluations=40)


def tune(tokenizer, run):
    encoder = encoder_of(tokenizer, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1)
    finetune(data_of(), encoder, settings_of(**LONG), run, panel=False, report=False)


def killed(tokenizer, run, wait):
    """A process that tunes until it is killed after `wait`; it must not have come to its end."""
    child = os.fork()
    if child == 0:
        try:
            tune(tokenizer, run)
        finally:
            os._exit(0 if sys.exc_info()[0] is None else 1)
    wait()
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the run ended with status {status} before it was killed"


def main():
    tokenizer, run, kills = load_tokenizer(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    rng, metrics = random.Random(int(sys.argv[4])), run / "seed-0" / "metrics.jsonl"

    def second_evaluation():
        while not metrics.exists() or metrics.read_text().count("evaluation") < 2:
            time.sleep(0.001)

    killed(tokenizer, run, second_evaluation)
    assert not (run / "seed-0" / "result.json").exists()
    for _ in range(kills - 1):
        killed(tokenizer, run, lambda: time.sleep(rng.uniform(0, 0.25)))
    tune(tokenizer, run)


if __name__ == "__main__":
    main()
