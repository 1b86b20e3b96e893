"""electra data check: what a labelled data set holds, and what is wrong with it, before anything is trained on it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import tyro

from electra.errors import UsageError, did_you_mean
from electra.tasks.check import check as find
from electra.tasks.own import Columns, own_examples
from electra.tasks.summary import summarize
from electra.tasks.table import TASKS, find_split, find_task, load_task
from electra.tasks.task import Example

COLUMNS = Columns()


def check(
    *,
    task: str | None = None,
    data: Path | None = None,
    train: Path | None = None,
    dev: Path | None = None,
    test: Path | None = None,
    kind: str = "classification",
    columns: tyro.conf.OmitArgPrefixes[Columns] = COLUMNS,
    tokenizer: Path | None = None,
    max_length: int | None = None,
) -> int:
    """Report labels, lengths, duplicates, leaks between splits, encoding trouble and the score of a constant answer.

    Exit code 0, with warnings printed; 1 where results would be wrong: 10% or more of dev or test are in train too, 1% or
    more of their labels are not in train, train has one label only or rows without one, 1% or more of the questions have an
    answer that is not where it is said to be, or ids of questions repeat.

    Args:
        task: a published data set, such as cola, squad-2.0 or conll2003
        data: the folder of its files
        train: your own file to learn from: .csv, .tsv, .jsonl, .parquet (SQuAD: .json; CoNLL: any other), also .gz, .xz, .zst
        dev: your own file to compare models on
        test: your own file to be scored on once
        kind: of your own files: classification, multi-label, regression, tagging, answering or choice
        columns: the names of your columns
        tokenizer: a model or tokenizer folder, to count word pieces
        max_length: word pieces of a row; by default those of the task, else 128
    """
    own = {name: path for name, path in (("train", train), ("dev", dev), ("test", test)) if path is not None}
    if (task is None) == (not own) or (task is not None and data is None):
        raise UsageError("give --task with --data FOLDER, or files of your own with --train, --dev, --test")
    notes: list[str] = []
    if task is not None and data is not None:
        splits = _published(task, data, notes)
        max_length = max_length or find_task(task).max_length
    else:
        splits = {name: own_examples(kind, path, columns) for name, path in own.items()}
    for line in summarize(splits, tokenizer=_tokenizer(tokenizer), max_length=max_length or 128):
        print(line)
    return _told(splits, notes)


def _published(task: str, data: Path, notes: list[str]) -> dict[str, list[Example]]:
    """The splits of a task that are there, each file once."""
    row = find_task(task)
    paths = {split: find_split(row, data, split) for split in row.files}
    splits: dict[str, list[Example]] = {}
    for split, path in paths.items():
        if path is not None and path not in [paths[name] for name in splits]:
            splits[split] = load_task(task, data, split, notes=notes)
    return splits or {"train": load_task(task, data, next(iter(row.files)))}  # the error that says what was looked for


def _tokenizer(folder: Path | None) -> object:
    if folder is None:
        return None
    from electra.tokenization import load_tokenizer

    return load_tokenizer(folder)


def _told(splits: Mapping[str, Sequence[Example]], notes: Sequence[str]) -> int:
    findings = find(splits)
    for line in (*(f"note: {note}" for note in notes), *map(str, findings)):
        print(line)
    errors = sum(finding.level == "error" for finding in findings)
    warnings = len(findings) - errors
    verdict = "results would be wrong" if errors else "nothing that makes results wrong"
    print(f"{verdict}: {_count(errors, 'error')}, {_count(warnings, 'warning')}")
    return 1 if errors else 0


def _count(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'s' * (number != 1)}"


def main(words: list[str]) -> int:
    """0, or 1 where something would make results wrong."""
    if not words or words[0] in ("-h", "--help"):
        print(
            f"usage: electra data check ...      (electra data check --help)\n\ntasks: {', '.join(t.name for t in TASKS)}"
        )
        return 0
    if words[0] != "check":
        raise UsageError(
            f'there is no "{words[0]}" of data{did_you_mean(words[0], ["check"])}; expected electra data check'
        )
    return tyro.cli(check, args=words[1:], prog="electra data check")
