"""Faults of the system, made real: a disk that fails on demand, a small disk, a folder that root may not write to either."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def failing_system(tmp_path_factory):
    """faults.c compiled: the library to preload."""
    library = tmp_path_factory.mktemp("faults") / "faults.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, HERE / "faults.c", "-ldl"], check=True)
    return library


@pytest.fixture
def quick_disk(tmp_path):
    """A folder in memory where the system has one: what fails there is decided by the test, and a real fsync would only wait."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def bound_by_permissions():
    """What a command begins with so that the permissions of files hold for it, which they do not for root."""
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


@pytest.fixture(scope="session")
def own_mounts():
    """What a command begins with so that it may mount a disk that goes when it ends; None where the system forbids it."""
    command = ["unshare", "--map-root-user", "--mount"]
    return command if subprocess.run([*command, "true"], check=False, capture_output=True).returncode == 0 else None
