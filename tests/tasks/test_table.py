"""The table of published data sets: each row is whole, and its files are found."""

import importlib.util

import pytest

from electra.errors import DataError, UsageError
from electra.tasks.table import KINDS, TASKS, find_kind, find_split, find_task, load_task


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_row_is_whole(task):
    assert task.kind in KINDS
    assert set(task.files) <= {"train", "dev", "test"}
    assert all(names and len(set(names)) == len(names) for names in task.files.values())
    assert task.name == task.name.lower()
    if importlib.util.find_spec(KINDS[task.kind][0]):
        assert task.measure in find_kind(task.kind).measures
        find_kind(task.kind)(**task.settings)


def test_names_are_given_once():
    assert len({task.name for task in TASKS}) == len(TASKS)


def test_an_unknown_task_or_kind_is_told_with_its_nearest_neighbour():
    with pytest.raises(UsageError, match=r'no task "sst2" \(did you mean "sst-2"\?\)'):
        find_task("sst2")
    with pytest.raises(UsageError, match=r'no kind "tagger" \(did you mean "tagging"\?\)'):
        find_kind("tagger")


@pytest.mark.parametrize("below", ["", "CoLA", "cola"])
def test_files_are_found_in_the_folder_or_in_one_named_after_the_set(tmp_path, below):
    (tmp_path / below).mkdir(exist_ok=True)
    (tmp_path / below / "dev.tsv").write_text("x\t1\t\tIt rains.\nx\t0\t*\tRains it it.\n", encoding="utf-8")
    examples = load_task("cola", tmp_path, "dev")
    assert [(example.text, example.label) for example in examples] == [("It rains.", "1"), ("Rains it it.", "0")]
    assert find_split(find_task("cola"), tmp_path, "train") is None


def test_a_missing_file_is_told_with_the_names_looked_for(tmp_path):
    with pytest.raises(DataError, match=r"has no train file of mrpc: looked for train\.tsv, .*\.xz"):
        load_task("mrpc", tmp_path, "train")
    with pytest.raises(DataError, match="nowhere is not a folder"):
        load_task("mrpc", tmp_path / "nowhere", "train")


def test_questions_classed_coarse_and_fine_keep_the_coarse_class(tmp_path):
    (tmp_path / "TREC_10.label").write_text("LOC:city Where is it ?\n", encoding="utf-8")
    (example,) = load_task("trec", tmp_path, "dev")
    assert (example.text, example.label) == ("Where is it ?", "LOC")
    (tmp_path / "TREC_10.label").write_text("LOC Where is it ?\n", encoding="utf-8")
    with pytest.raises(DataError, match=r'TREC_10\.label:1: expected "COARSE:fine question"'):
        load_task("trec", tmp_path, "dev")
