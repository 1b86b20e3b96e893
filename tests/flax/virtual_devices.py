"""Runs a program where JAX finds several devices, all of them this processor: how many is decided when a process begins."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def run_on_virtual_devices(count: int, program: str) -> str:
    """What a program prints; AssertionError with its stderr where it fails."""
    variables = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={count}",
        "PYTHONPATH": os.pathsep.join(map(str, (HERE, HERE.parent, HERE.parent / "torch"))),
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=variables, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
