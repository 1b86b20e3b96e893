"""docs/long_runs.json: what runs that are too long for the suite came to, by their names; docs/reliability.md shows it."""

import fcntl
import json
import os
from pathlib import Path

import electra
from electra.inference.machine import processor

FILE = Path(__file__).parents[1] / "docs" / "long_runs.json"


def machine():
    """The processor, and how many cores this process may use."""
    return f"{processor()}, {len(os.sched_getaffinity(0))} of its cores"


def keep(name, **found):
    """Write down what a run found, in place of what it found before. Several processes may do so at once."""
    with FILE.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        held = json.loads(file.read() or "{}")
        held[name] = found | {"electra": electra.__version__, "machine": machine()}
        file.truncate(0)
        file.write(json.dumps(dict(sorted(held.items())), indent=1, ensure_ascii=False) + "\n")
