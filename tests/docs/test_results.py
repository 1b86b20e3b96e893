"""docs/results.md says what the files of results say: a benchmark that writes a section from them writes what stands there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs/results.md"
SCRIPTS = re.findall(r"<!-- written by (benchmarks/\w+\.py) --table -->", RESULTS.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Where a script may write."""
    root = tmp_path_factory.mktemp("project")
    for folder in ("benchmarks", "docs", "recipes"):
        shutil.copytree(ROOT / folder, root / folder)
    return root


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_section_is_what_its_script_writes(script, copy):
    own = {"PYTHONPATH": str(ROOT / "src"), "MPLCONFIGDIR": str(copy)}
    done = subprocess.run(
        [sys.executable, script, "--table"], cwd=copy, env=os.environ | own, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (copy / "docs/results.md").read_text(encoding="utf-8") == RESULTS.read_text(encoding="utf-8")
