"""electra doctor says what there is to compute with, in lines that a person reads."""

import os
import re
import subprocess
import sys

import pytest
from small_tuning import model_folder

from electra.cli import doctor, main
from electra.inference import machine


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(doctor, "SECONDS", 0.0)  # a call each


def said(capsys, *words):
    assert main(["doctor", *map(str, words)]) == 0
    return capsys.readouterr().out.splitlines()


def test_it_names_versions_the_processor_and_what_compiled(capsys):
    lines = said(capsys)
    first = [line.split(" ")[0] for line in lines]
    assert [name for name in first if name] == [
        "electra", "python", "packages", "processor", "cores", "memory", "GPU", "our",
    ]  # fmt: skip
    told = "\n".join(lines)
    assert f"{machine.cores()} that this process may use" in told
    assert "encoder: compiled" in told
    assert "answers in float32" in told


def test_it_says_why_our_own_c_does_not_compile_and_imports_no_framework():
    program = "import sys; from electra.cli import main; main(['doctor']); print({'torch', 'jax'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"ELECTRA_NATIVE": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "encoder: not compiled: ELECTRA_NATIVE is 0" in done.stdout
    assert "answers in" not in done.stdout
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize("kind", ["classification", "choice"])
def test_it_times_the_engines_of_a_model(kind, tokenizer, tmp_path, capsys):
    lines = said(capsys, model_folder(kind, tokenizer, tmp_path / "run" / "model").parent, "--device", "cpu")
    of_model = lines[[line.split(" ")[0] for line in lines].index("model") :]
    assert of_model[0].split() == ["model", str(tmp_path / "run" / "model")]
    found = {line.split()[0]: line for line in of_model[1:]}
    assert set(found) == {"auto", "float32", "bfloat16", "int8", "plain"}
    assert "takes our own C, " in found["auto"]
    assert "our own C, float32" in found["float32"]
    assert re.search("torch on cpu, (float32|bfloat16), ", found["plain"])  # what this processor is fast in
    for name in ("float32", "plain"):
        assert "rows a second (6 to 64 tokens, 16 together)" in found[name]
        assert found[name].endswith("ms for one")


def test_the_cores_a_process_may_use_are_fewer_where_it_is_told_so(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert machine.cores() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "100000")
    assert 1 <= machine.cores() <= (os.cpu_count() or 1)
