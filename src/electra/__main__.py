"""`python -m electra` is the command `electra`."""

import os
import sys

from electra.cli import main


def run() -> None:
    """Answer the command line and end the process with its code."""
    code = main()
    if os.environ.get("WORLD_SIZE", "1") != "1":
        # A thread of gloo that frees a tensor while the interpreter ends aborts the process (PyTorch issue 190489).
        sys.stderr.flush()  # main has flushed the other
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    run()
