"""The examples of a fine-tuning: a published data set, or your own files, with dev examples split off where there are none.

Unusual here: what is split off is chosen by label and by a seed, and texts that are alike stay together, so that a model is
not judged on a text it has seen.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from electra.errors import ConfigError, DataError, UsageError, did_you_mean
from electra.tasks.check import check, sides, truth
from electra.tasks.classification import Regression, both_orders
from electra.tasks.overlap import key
from electra.tasks.own import Columns, own_examples
from electra.tasks.table import find_kind, find_task, load_task
from electra.tasks.task import Example, Kind
from electra.training.tune_files import Purpose

DEV_SHARE = 0.1  # of the examples, where no dev file is given
CHECKED = 50_000  # train examples up to which the data is looked at before training; electra data check takes more


@dataclass(frozen=True, kw_only=True)
class TuneData:
    """What is learned and what it is judged on.

    measure  the score that decides; one of kind.measures
    labels   in order
    columns  of the files, as task.json keeps them
    source   what people call the examples, where it is not the name: "train.csv and dev.csv"
    """

    name: str
    kind: Kind
    measure: str
    train: Sequence[Example]
    dev: Sequence[Example]
    labels: tuple[str, ...]
    columns: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""


def published_data(
    task: str, folder: Path, options: Mapping[str, Any], *, limit: int | None, seed: int, notes: list[str]
) -> TuneData:
    """A published data set.

    options   settings of the kind that differ
    limit     examples to learn from, drawn by the seed; None: all
    """
    row = find_task(task)
    train, dev = (load_task(task, folder, split, notes=notes) for split in ("train", "dev"))
    kind = _fitted(row.kind, dict(row.settings) | dict(options), train)
    labels = row.labels or kind.labels(train)
    train = limited(train, limit, seed, notes)
    if row.double_unordered:
        train = [*both_orders(train)]  # type: ignore[arg-type]
    return TuneData(name=row.name, kind=kind, measure=row.measure, train=train, dev=dev, labels=labels, source=row.name)


def own_data(
    kind_name: str,
    train_file: Path,
    dev_file: Path | None,
    columns: Columns,
    options: Mapping[str, Any],
    *,
    limit: int | None,
    seed: int,
    notes: list[str],
) -> TuneData:
    """Your own files; without `dev_file` a tenth of the examples is split off. Raises DataError with the place."""
    train = own_examples(kind_name, train_file, columns)
    kind = _fitted(kind_name, options, train)
    labels = kind.labels(train)
    if dev_file is None:
        train, dev = split_off(train, seed)
        notes.append(
            f"no dev file: {len(dev):,} of {len(train) + len(dev):,} examples were split off by label and seed {seed}; "
            "give --dev to choose them yourself"
        )
    else:
        dev = own_examples(kind_name, dev_file, columns)
    _check_known(dev, dev_file or train_file)
    train = limited(train, limit, seed, notes)
    held = {name: value for name, value in asdict(columns).items() if value != getattr(Columns(), name)}
    return TuneData(
        name=train_file.name.partition(".")[0],
        kind=kind,
        measure=kind.measures[0],
        train=train,
        dev=dev,
        labels=labels,
        columns=held,
        source=" and ".join(file.name for file in (train_file, dev_file) if file is not None),
    )


def _fitted(name: str, options: Mapping[str, Any], train: Sequence[Example]) -> Kind:
    """The kind; of numbers, with the range of those in train, unless it is given."""
    kind = make_kind(name, options)
    is_given = "low" in options or "high" in options
    return kind.scaled_to(train) if isinstance(kind, Regression) and not is_given else kind  # type: ignore[arg-type]


def _check_known(dev: Sequence[Example], path: Path) -> None:
    unknown = [example for example in dev if truth(example) is None]
    if len(unknown) == len(dev):
        raise DataError(
            f"{path} has no labels, so no model can be judged on it; name their column, such as --label topic"
        )


def make_kind(name: str, options: Mapping[str, Any]) -> Kind:
    """A kind with settings of its own. Raises UsageError on a setting it does not have, ConfigError on a bad value."""
    kind = find_kind(name)
    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    for option in options:
        if option not in known:
            raise UsageError(
                f'{name} has no setting "{option}"{did_you_mean(option, known)}; it has {", ".join(known) or "none"}'
            )
    try:
        return kind(**options)
    except TypeError as error:
        raise ConfigError(f"a setting of {name} has a value of the wrong type: {error}") from None


def read_options(words: Sequence[str]) -> dict[str, Any]:
    """Settings of a kind from words like windows=32: values are JSON, or else text. Raises UsageError on another form."""
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f'"{word}" is no setting; expected NAME=VALUE, such as windows=32')
        try:
            found[name.replace("-", "_")] = json.loads(value)
        except json.JSONDecodeError:
            found[name.replace("-", "_")] = value
    return found


def limited(examples: Sequence[Example], limit: int | None, seed: int, notes: list[str]) -> list[Example]:
    """So many examples, drawn by the seed, in their old order."""
    if limit is None or limit >= len(examples):
        return list(examples)
    if limit < 1:
        raise UsageError(f"limit-train is {limit}, expected 1 or more examples")
    notes.append(f"learning from {limit:,} of {len(examples):,} train examples, drawn by seed {seed}")
    chosen = np.sort(np.random.default_rng([seed, len(examples)]).permutation(len(examples))[:limit])
    return [examples[number] for number in chosen]


def split_off(examples: Sequence[Example], seed: int) -> tuple[list[Example], list[Example]]:
    """Train and dev: about DEV_SHARE of each label goes to dev, alike texts together. Raises DataError of too few."""
    groups: dict[str, list[int]] = defaultdict(list)
    for number, example in enumerate(examples):
        groups[key(sides(example))].append(number)
    strata: dict[str, list[list[int]]] = defaultdict(list)
    for group in groups.values():
        label = truth(examples[group[0]])
        strata[label if isinstance(label, str) else ""].append(group)
    rng = np.random.default_rng([seed, len(examples)])
    dev: set[int] = set()
    for _, members in sorted(strata.items()):
        wanted = round(DEV_SHARE * len(members)) or (len(members) > 1)
        dev.update(number for place in rng.permutation(len(members))[: int(wanted)] for number in members[place])
    if not dev or len(dev) == len(examples):
        raise DataError(f"{len(examples)} examples are too few to split dev examples off; give a dev file")
    return tuple([e for n, e in enumerate(examples) if (n in dev) is side] for side in (False, True))  # type: ignore[return-value]


def labelled_examples(purpose: Purpose, file: Path, columns: Columns | None = None) -> list[Example]:
    """The examples of a file whose truth is known; of the columns that the model was tuned on, unless others are given."""
    examples = own_examples(purpose.kind.name, file, columns or Columns(**purpose.columns))
    return known_examples(examples)


def known_examples(examples: Sequence[Example]) -> list[Example]:
    """Those whose truth is known. Raises DataError where there are none."""
    known = [example for example in examples if truth(example) is not None]
    if not known:
        raise DataError(f"none of the {len(examples):,} examples has a label, so there is nothing to score")
    return known


def warnings_of(data: TuneData) -> list[str]:
    """What makes results wrong or doubtful, in words: leaks, labels that train lacks, examples that contradict each other."""
    if len(data.train) > CHECKED:
        return [f"{len(data.train):,} train examples were not searched for leaks; electra data check does it"]
    return [str(finding) for finding in check({"train": data.train, "dev": data.dev})]
