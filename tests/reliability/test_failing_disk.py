"""Every write, fsync and rename that can fail, one after the other: what is there is the old or the new, never neither."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from nightly import examples

HERE = Path(__file__).parent


@pytest.mark.fault(1, 2)
@pytest.mark.parametrize("mode", ["refused", "half", "killed"])
@pytest.mark.parametrize("scenario", ["checkpoint", "model", "tokenizer", "corpus", "result"])
def test_whichever_operation_of_the_disk_fails_the_old_or_the_new_is_there_whole(
    scenario, mode, failing_system, quick_disk
):
    stride = examples(4, 1) if scenario in ("corpus", "result") or mode == "half" else 1
    done = subprocess.run(
        [sys.executable, HERE / "failing_disk.py", scenario, quick_disk / "work", mode, str(stride)],
        env=os.environ | {"LD_PRELOAD": str(failing_system), "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["old"] > 0
    assert told["new"] > 0 or told["operations"] < 3
