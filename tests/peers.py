"""Runs programs under transformers 5, in a process of its own: the environment holds transformers 4."""

import os
import subprocess
import sys
from pathlib import Path

TRANSFORMERS5 = Path(__file__).parents[1] / ".venv" / "peers" / "transformers5"
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def run_with_transformers5(program: str, *arguments: object, timeout_seconds: float = 300) -> str:
    """What a Python program prints where `import transformers` finds version 5 and everything else is as here.

    program    its text; it finds `arguments` in sys.argv[1:]
    Raises AssertionError with what the program wrote to stderr where it fails.
    """
    assert TRANSFORMERS5.is_dir(), f"{TRANSFORMERS5} is missing; `make setup` fills it"
    variables = os.environ | OFFLINE | {"PYTHONPATH": str(TRANSFORMERS5)}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled at every import it takes twice as long
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=timeout_seconds, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
