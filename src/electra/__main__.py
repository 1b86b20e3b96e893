"""`python -m electra` is the command `electra`."""

import sys

from electra.cli import main

if __name__ == "__main__":
    sys.exit(main())
