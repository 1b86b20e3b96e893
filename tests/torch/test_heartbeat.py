"""A process that is not heard of any more ends the others, whether it was killed, stands still, or took the store with it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

WATCHED = Path(__file__).parent / "watched.py"


@pytest.mark.fault(34)
@pytest.mark.parametrize(
    ("victim", "number", "told"),
    [
        (2, signal.SIGSTOP, "process 2 was not heard of for 2 seconds, and process 1 ends with it"),
        (0, signal.SIGKILL, "process 0 was not heard of for 2 seconds, and process 2 ends with it"),
        (-1, signal.SIGKILL, "process 0 was not heard of for 2 seconds, and process 1 ends with it"),
    ],
    ids=["one stands still", "the first is killed", "the store is gone"],
)
def test_a_silent_process_ends_the_others(victim, number, told):
    done = subprocess.run(
        [sys.executable, WATCHED, str(victim), str(int(number))],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {"1"}
    assert told in done.stderr
