"""The tutorials' commands run as they are typed, with a stand-in for the model of `make demo`, and leave the files they name.

Cut short: one seed and few updates; in `make nightly` as typed.
"""

import itertools
import os
import re
import runpy
import shlex
from pathlib import Path

import pytest

from electra.cli import main
from electra.tasks.table import KINDS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/tutorials"
PAGES = sorted(page.stem for page in FOLDER.glob("*.md") if page.stem != "index")
SHORT = () if os.environ.get("NIGHTLY") else ("--epochs", "0.1", "--seeds", "1", "--evaluations", "1", "--quiet")


def commands(page):
    """The words of each command of the page's sh blocks; a backslash continues a line."""
    blocks = re.findall(r"```sh\n(.*?)```", (FOLDER / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.replace("\\\n", " ").splitlines()]


def run(words, monkeypatch):
    """The exit code of one command, in this process: to start one for each would take minutes."""
    program, *rest = words
    if program == "electra":
        return main([*rest, *(SHORT if rest[0] == "finetune" else ())])
    if program == "python":
        with monkeypatch.context() as patch:
            patch.setattr("sys.argv", rest)
            runpy.run_path(rest[0], run_name="__main__")
        return 0
    assert program == "cat", words
    return 0 if Path(rest[0]).read_text(encoding="utf-8") else 1


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_tutorial_run_and_leave_the_files_it_names(page, short_run, tmp_path, monkeypatch, capfd):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo/run").symlink_to(short_run)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    called = commands(page)
    for words in called:
        assert run(words, monkeypatch) == 0, f"{shlex.join(words)}\n{capfd.readouterr().err}"
    assert {words[1] for words in called if words[0] == "electra"} >= {"data", "finetune", "evaluate", "predict"}
    named = re.findall(r"`(demo/[^` ]+)`", (FOLDER / f"{page}.md").read_text(encoding="utf-8"))
    assert not [name for name in named if not Path(name).exists()]


def test_every_kind_of_task_has_a_tutorial():
    shown = {
        kind
        for page in PAGES
        for words in commands(page)
        for flag, kind in itertools.pairwise(words)
        if flag == "--kind"
    }
    assert shown | {"classification"} == set(KINDS)


def test_the_index_leads_to_every_tutorial():
    links = re.findall(r"\]\(([\w-]+)\.md\)", (FOLDER / "index.md").read_text(encoding="utf-8"))
    assert sorted(set(links)) == PAGES
