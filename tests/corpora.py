"""What several tests ask of a corpus folder."""

import time

from electra.errors import TryAgainError


def contents(folder):
    """Every file of a corpus, by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def wait_for_lock(action):
    """A killed process may hold its lock for a moment longer."""
    for _ in range(100):
        try:
            return action()
        except TryAgainError:
            time.sleep(0.05)
    return action()
