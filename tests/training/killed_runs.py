"""Kill a run with SIGKILL at random moments until it is done: python killed_runs.py CORPUS RUN KILLS SEED EXAMPLES STEPS

Each attempt is a process of its own, forked after the imports so that twenty of them cost seconds, and dies for real.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

import electra.torch.backend  # noqa: F401 - imported here once, not in every attempt
from electra.training.pretrain import pretrain

sys.path.insert(0, str(Path(__file__).parent))
from small_run import small_settings

torch.set_num_threads(1)


def attempt(corpus, run):
    """A process that trains; it ends well only when the run is complete."""
    settings = small_settings(steps=int(sys.argv[6]), checkpoint_every=3, examples=sys.argv[5])
    child = os.fork()
    if child == 0:
        try:
            pretrain(settings, corpus, run, panel=False)
        finally:
            os._exit(0 if sys.exc_info()[0] is None else 1)
    return child


def main():
    corpus, run, kills, rng = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), random.Random(int(sys.argv[4]))
    killed = 0
    while killed < kills:
        child = attempt(corpus, run)
        time.sleep(rng.uniform(0.0, 0.6))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            raise SystemExit(f"the run ended with status {status} after {killed} kills; expected it to need more")
        killed += 1
    _, status = os.waitpid(attempt(corpus, run), 0)
    raise SystemExit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
