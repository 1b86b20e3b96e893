"""torchrun with the exit codes of a single process: python -m electra.torch.launch OPTIONS -m electra pretrain CORPUS RUN

OPTIONS are torchrun's. It ends with 1 and a traceback whatever its processes end with. Here: 75 after SIGTERM and 130 after
Ctrl-C, once the processes have written a checkpoint; otherwise the code of the first that failed, 1 where it was killed.
"""

import sys

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main as torchrun

from electra.training.interrupt import EXIT_CODES


def main(words: list[str] | None = None) -> int:
    """Start the processes and wait for them; returns the exit code."""
    try:
        torchrun(words)
    except SignalException as asked:
        return EXIT_CODES.get(asked.sigval, 1)
    except ChildFailedError as failed:
        _, failure = failed.get_first_failure()
        print(f"electra: process {failure.local_rank} of this machine ended with {failure.exitcode}", file=sys.stderr)
        return max(failure.exitcode, 1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
