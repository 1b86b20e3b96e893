"""How many random examples a test looks at: few in every run, many in `make nightly`."""

import os


def examples(few: int, many: int) -> int:
    """`few`, or `many` where the variable NIGHTLY is set."""
    return many if os.environ.get("NIGHTLY") else few
