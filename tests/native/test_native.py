"""Our C is compiled once, into a folder nobody else can write to; where that fails, the reason is told."""

import os
import subprocess
import sys

import pytest

from electra.native import _compiled, library, reason

PROGRAM = "from electra.native import library, reason; print(library('units') is not None, reason('units'))"


def run(**environment):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_it_is_compiled_once_and_found_afterwards(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = _compiled("units", False)
    made = first.stat().st_mtime_ns
    assert _compiled("units", False) == first
    assert first.stat().st_mtime_ns == made
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_several_processes_may_compile_at_once(tmp_path):
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    all_at_once = [
        subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert {process.communicate()[0].strip() for process in all_at_once} == {"True None"}


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({"ELECTRA_NATIVE": "0"}, "ELECTRA_NATIVE is 0"),
        ({"CC": "/nowhere/cc"}, "No such file"),
        ({"CC": "false"}, "returned non-zero exit status"),
    ],
)
def test_without_a_compiler_the_reason_is_told(tmp_path, environment, why):
    told = run(XDG_CACHE_HOME=str(tmp_path), **environment)
    assert told.startswith("False")
    assert why in told


def test_a_folder_others_can_write_to_is_not_used(tmp_path):
    folder = tmp_path / "electra" / "native"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    assert "can be written to by others" in run(XDG_CACHE_HOME=str(tmp_path))


def test_this_machine_has_it():
    assert library("units") is not None, reason("units")
