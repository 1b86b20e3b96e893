"""The published data sets as rows: kind, official measure, layout, file names, and what the original's recipe changes.

Adding a row is the whole registration. A reader is a function of a path; a row names the files of each split as they are
published, any of them compressed too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from electra.data.sources import COMPRESSIONS
from electra.errors import DataError, UsageError, did_you_mean
from electra.tasks.choices import read_commonsenseqa, read_copa, read_piqa, read_swag
from electra.tasks.conll import read_conll
from electra.tasks.glue import Layout, read_glue
from electra.tasks.own import Columns, own_examples
from electra.tasks.questions import read_questions
from electra.tasks.records import read_lines
from electra.tasks.task import Example, Kind, TextExample

Reader = Callable[[Path, list[str]], Sequence[Example]]  # the file, and a list that gets what was left out
Files = Mapping[str, tuple[str, ...]]

# kind -> (module, class); a module is imported when its kind is used
KINDS = {
    "classification": ("electra.tasks.classification", "Classification"),
    "multi-label": ("electra.tasks.classification", "MultiLabel"),
    "regression": ("electra.tasks.classification", "Regression"),
    "tagging": ("electra.tasks.tagging", "Tagging"),
    "choice": ("electra.tasks.choice", "Choice"),
    "answering": ("electra.tasks.answering", "Answering"),
}


@dataclass(frozen=True, kw_only=True)
class Task:
    """A published data set. Epochs and max_length (tokens) are those of the original's recipe."""

    name: str
    kind: str  # a row of KINDS
    measure: str  # the official one, by the name the kind's scores give it
    read: Reader
    files: Files  # split -> the names its file may have; "train" and "dev" first
    folders: tuple[str, ...] = ()  # where the files lie in a folder of several data sets; capitals do not matter
    labels: tuple[str, ...] = ()  # in order; (): sorted, as found
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the kind
    epochs: float = 3.0
    max_length: int = 128
    double_unordered: bool = False  # train on each pair in both orders too, as the original does


def find_kind(name: str) -> type[Kind]:
    """The class of a kind. Raises UsageError with the nearest name."""
    if name not in KINDS:
        raise UsageError(f'there is no kind "{name}"{did_you_mean(name, KINDS)}; expected {", ".join(KINDS)}')
    module, kind = KINDS[name]
    found: type[Kind] = getattr(import_module(module), kind)
    return found


def find_task(name: str) -> Task:
    """The row of a task. Raises UsageError with the nearest name."""
    for task in TASKS:
        if task.name == name.lower():
            return task
    known = [task.name for task in TASKS]
    raise UsageError(f'there is no task "{name}"{did_you_mean(name.lower(), known)}; expected {", ".join(known)}')


def load_task(name: str, folder: Path, split: str, *, notes: list[str] | None = None) -> list[Example]:
    """The examples of one split ("train", "dev", "test"). `notes` gets a sentence on rows that were left out.

    folder   where the files lie, or the folder above it
    Raises DataError where no file of the split is found, or with the place of what cannot be used.
    """
    task = find_task(name)
    path = find_split(task, folder, split)
    if path is None:
        tried = ", ".join(task.files.get(split, ())) or "none of its splits"
        raise DataError(
            f"{folder} has no {split} file of {task.name}: looked for {tried} (also {', '.join(COMPRESSIONS)})"
        )
    return list(task.read(path, [] if notes is None else notes))


def find_split(task: Task, folder: Path, split: str) -> Path | None:
    """The file of a split, or None. Raises DataError where the folder does not exist."""
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder")
    names = [f"{name}{compression}" for name in task.files.get(split, ()) for compression in ("", *COMPRESSIONS)]
    known = {task.name, *(name.lower() for name in task.folders)}
    below = sorted(place for place in folder.iterdir() if place.is_dir() and place.name.lower() in known)
    # A row may name one file for several tasks' folders, so the folder itself comes first.
    found = (place / name for place in (folder, *below) for name in names if (place / name).is_file())
    return next(found, None)


# --------------------------------------------------------------------------------------------------------------- readers


def glue(**columns: Any) -> Reader:
    layout = Layout(**columns)
    return lambda path, notes: read_glue(path, layout, notes=notes)


def own(kind: str, **columns: Any) -> Reader:
    return lambda path, notes: own_examples(kind, path, Columns(**columns))


def columns(word: int, tag: int, *, iob1: bool = False) -> Reader:
    return lambda path, notes: read_conll(path, word=word, tag=tag, iob1=iob1)


def alone(read: Callable[[Path], Sequence[Example]]) -> Reader:
    return lambda path, notes: read(path)


def read_trec(path: Path) -> list[TextExample]:
    """A line is COARSE:fine and the question; the coarse class is the label."""
    examples: list[TextExample] = []
    for number, line in enumerate(read_lines(path), start=1):
        label, _, text = line.partition(" ")
        if ":" not in label or not text:
            raise DataError(f'{path}:{number}: expected "COARSE:fine question", found "{line[:40]}"')
        coarse = label.partition(":")[0]
        examples.append(TextExample(id=str(len(examples)), place=f"{path}:{number}", text=text, label=coarse))
    return examples


# ------------------------------------------------------------------------------------------------------------------ rows

TSV: Files = {
    "train": ("train.tsv", "train_part.tsv"),
    "dev": ("dev.tsv", "dev_part.tsv"),
    "test": ("test.tsv", "test_part.tsv"),
}
JSONL: Files = {
    "train": ("train.jsonl", "train_part.jsonl"),
    "dev": ("dev.jsonl", "dev_part.jsonl", "val.jsonl", "valid.jsonl"),
    "test": ("test.jsonl", "tests.jsonl"),
}
CONLL2003: Files = {
    "train": ("eng.train", "train.txt"),
    "dev": ("eng.testa", "valid.txt", "dev.txt"),
    "test": ("eng.testb", "test.txt"),
}
BINARY = ("0", "1")
ENTAILMENT = ("entailment", "not_entailment")
INFERENCE = ("contradiction", "entailment", "neutral")
COLA = ("source", "label", "mark", "sentence")
MNLI = glue(text="sentence1", pair="sentence2", label="gold_label", labels=INFERENCE, ignored="-")

TASKS = (
    Task(
        name="cola", kind="classification", measure="matthews", labels=BINARY, folders=("CoLA",), files=TSV,
        read=glue(text="sentence", no_header=COLA, labels=BINARY),
    ),
    Task(
        name="sst-2", kind="classification", measure="accuracy", labels=BINARY, folders=("SST-2", "SST2"), files=TSV,
        read=glue(text="sentence", labels=BINARY),
    ),
    Task(
        name="mrpc", kind="classification", measure="accuracy", labels=BINARY, folders=("MRPC",), files=TSV,
        read=glue(text="#1 String", pair="#2 String", label="Quality", labels=BINARY), double_unordered=True,
    ),
    Task(
        name="sts-b", kind="regression", measure="pearson", folders=("STS-B", "STSB"), files=TSV, epochs=10,
        read=glue(text="sentence1", pair="sentence2", label="score"), double_unordered=True, settings={"low": 0.0, "high": 5.0},
    ),
    Task(
        name="qqp", kind="classification", measure="accuracy", labels=BINARY, folders=("QQP",), files=TSV,
        read=glue(text="question1", pair="question2", label="is_duplicate", labels=BINARY),
    ),
    Task(
        name="mnli", kind="classification", measure="accuracy", labels=INFERENCE, folders=("MNLI",), read=MNLI,
        files={
            "train": TSV["train"],
            "dev": ("dev_matched.tsv", "dev_part.tsv"),
            "test": ("test_matched.tsv",),
        },
    ),
    Task(
        name="mnli-mismatched", kind="classification", measure="accuracy", labels=INFERENCE, folders=("MNLI",), read=MNLI,
        files={"train": TSV["train"], "dev": ("dev_mismatched.tsv",), "test": ("test_mismatched.tsv",)},
    ),
    Task(
        name="diagnostic", kind="classification", measure="matthews", labels=INFERENCE, folders=("diagnostic", "MNLI"),
        files={"test": ("diagnostic.tsv",)}, read=MNLI,
    ),
    Task(
        name="qnli", kind="classification", measure="accuracy", labels=ENTAILMENT, folders=("QNLI",), files=TSV,
        read=glue(text="question", pair="sentence", labels=ENTAILMENT),
    ),
    Task(
        name="rte", kind="classification", measure="accuracy", labels=ENTAILMENT, folders=("RTE",), files=TSV, epochs=10,
        read=glue(text="sentence1", pair="sentence2", labels=ENTAILMENT),
    ),
    Task(
        name="wnli", kind="classification", measure="accuracy", labels=BINARY, folders=("WNLI",), files=TSV,
        read=glue(text="sentence1", pair="sentence2", labels=BINARY),
    ),
    Task(name="snli", kind="classification", measure="accuracy", labels=INFERENCE, folders=("SNLI",), files=TSV, read=MNLI),
    Task(
        name="squad-1.1", kind="answering", measure="f1", folders=("squad",), epochs=2, max_length=512,
        files={"train": ("train-v1.1.json", "train-v1.1-part.json"), "dev": ("dev-v1.1.json", "dev-v1.1-part.json")},
        read=alone(read_questions),
    ),
    Task(
        name="squad-2.0", kind="answering", measure="f1", folders=("squad",), epochs=2, max_length=512,
        files={"train": ("train-v2.0.json", "train-v2.0-part.json"), "dev": ("dev-v2.0.json", "dev-v2.0-part.json")},
        read=alone(read_questions),
    ),
    Task(
        name="conll2003", kind="tagging", measure="f1", folders=("conll2003",), files=CONLL2003, read=columns(0, -1, iob1=True),
    ),
    Task(
        name="conll2000", kind="tagging", measure="f1", folders=("conll2000", "chunk"), max_length=256, read=columns(0, -1),
        files={"train": ("train.txt",), "dev": ("dev.txt", "test.txt"), "test": ("test.txt",)},
    ),
    Task(
        name="pos", kind="tagging", measure="accuracy", folders=("conll2003", "conll2000"), max_length=256, read=columns(0, 1),
        files={"train": CONLL2003["train"], "dev": (*CONLL2003["dev"], "test.txt"), "test": CONLL2003["test"]},
    ),
    Task(
        name="wnut17", kind="tagging", measure="f1", folders=("wnut17",), read=columns(0, 1),
        files={
            "train": ("wnut17train.conll",),
            "dev": ("emerging.dev.conll",),
            "test": ("emerging.test.annotated",),
        },
    ),
    Task(
        name="swag", kind="choice", measure="accuracy", folders=("swag",), read=alone(read_swag),
        files={"train": ("train.csv",), "dev": ("val.csv",), "test": ("test.csv",)},
    ),
    Task(
        # The authors publish a dev and a test set, both with labels, and no other to train on; SuperGLUE cut up the dev set.
        name="copa", kind="choice", measure="accuracy", folders=("copa",), read=alone(read_copa), epochs=10,
        files={"train": ("train.jsonl", "copa-dev.xml"), "dev": ("val.jsonl", "copa-test.xml"), "test": ("test.jsonl",)},
    ),
    Task(
        name="commonsenseqa", kind="choice", measure="accuracy", folders=("commonsenseqa", "csqa"),
        read=alone(read_commonsenseqa),
        files={
            "train": ("train_rand_split.jsonl", *JSONL["train"]),
            "dev": ("dev_rand_split.jsonl", *JSONL["dev"]),
            "test": ("test_rand_split_no_answers.jsonl", *JSONL["test"]),
        },
    ),
    Task(name="piqa", kind="choice", measure="accuracy", folders=("piqa",), files=JSONL, read=alone(read_piqa)),
    Task(
        name="trec", kind="classification", measure="accuracy", folders=("trec",), read=alone(read_trec),
        files={"train": ("train_5500.label",), "dev": ("TREC_10.label",)},
    ),
    Task(
        name="ag-news", kind="classification", measure="accuracy", labels=("1", "2", "3", "4"), folders=("ag_news",),
        read=own("classification", text="2", pair="3", label="1", header=False),
        files={"train": ("train.csv", "train_part.csv"), "dev": ("dev_part.csv", "test.csv")},
    ),
    Task(
        name="goemotions", kind="multi-label", measure="f1_macro", folders=("goemotions",), files=TSV,
        read=own("multi-label", text="1", label="2", id="3", header=False),
    ),
)  # fmt: skip
