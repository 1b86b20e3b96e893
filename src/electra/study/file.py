"""A study file: what is compared with what, at which budgets, with how many seeds, judged on which tasks.

    title = "Is the generator's size worth its cost?"
    preset = "tiny"                    # or recipe = "FILE": what all variants share
    seeds = 3
    [budgets]
    minutes = [2, 6]                   # of training; or flops, or tokens
    [variants.electra]                 # the first is what the others are held against
    [variants.mlm]
    objective = "mlm"
    [tasks.cola]
    epochs = 4

Unusual here: all mistakes of a file are told in one error. Paths in a file are seen from its folder.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from electra.errors import ConfigError, ElectraError, did_you_mean
from electra.study.contents import DETECTION, UNITS, Budget, Study, TaskPlan, place_of
from electra.study.detection import ROWS
from electra.tasks.table import find_task
from electra.training.settings import PretrainSettings, preset, read_recipe, settings_from
from electra.training.tune_data import make_kind
from electra.training.tune_settings import TuneSettings

KEYS = (
    "title", "question", "preset", "recipe", "text", "vocab_size", "corpus", "data", "seeds", "evaluations", "reference",
    "budgets", "settings", "variants", "finetune", "tasks",
)  # fmt: skip
# Settings that the study decides, from the budget and the seed.
DECIDED = ("steps", "minutes", "seed", "threads", "eval_every", "checkpoint_every", "keep_checkpoints", "log_every")
TUNED_BY_US = ("threads", "seed")
OF_TASKS = ("limit_train", "set")  # beside the settings of fine-tuning
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+]*")


def read_study(path: Path, *, corpus: Path | None = None, text: Sequence[str] = (), data: Path | None = None) -> Study:
    """The study in a TOML file. `corpus`, `text` and `data` go before what the file says of them.

    Raises ConfigError that lists everything wrong with it.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"there is no study {path}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    reader = _Reader(path, values)
    study = reader.study(corpus, tuple(text), data)
    if study is None:
        problems = dict.fromkeys(reader.problems)  # parts of the file are looked at more than once
        lines = "\n".join(f"  - {problem}" for problem in problems)
        count = len(problems)
        raise ConfigError(f"{path} has {count} problem{'s' * (count > 1)}:\n{lines}")
    return study


class _Reader:
    """Reads the parts of a file and gathers what is wrong with them."""

    def __init__(self, path: Path, values: dict[str, Any]) -> None:
        self.path, self.values, self.problems = path, values, list[str]()
        self._check_known(values, KEYS, "")

    def study(self, corpus: Path | None, text: tuple[str, ...], data: Path | None) -> Study | None:
        variants, tasks, seeds, budgets = self._variants(), self._tasks(), self._seeds(), self._budgets()
        changes = {name: dict(held) for name, held in self._tables("variants").items()}
        reference = self._get("reference", str, next(iter(changes), ""))
        if changes and reference not in changes:
            self.problems.append(f'reference is "{reference}"{did_you_mean(reference, changes)}, expected a variant')
        own = [str(self._place(word)) for word in self._list("text", str)]
        given = text or (() if corpus else tuple(own))
        corpus = None if given else corpus or self._path("corpus")
        if corpus is None and not given:
            self.problems.append("there is no corpus: give --corpus or --text, or the key corpus or text")
        elif corpus is not None and not (corpus / "corpus.json").is_file():
            self.problems.append(f"{corpus} is no corpus: it has no corpus.json (electra prepare makes one)")
        data = data or self._path("data")
        self._check_data(tuple(tasks), data)
        title, question = self._get("title", str, self.path.stem), self._get("question", str, "")
        evaluations, vocab_size = self._count("evaluations", 8), self._count("vocab_size", 8192)
        if self.problems:
            return None
        return Study(
            title=title, question=question, seeds=seeds, budgets=budgets, evaluations=evaluations, variants=variants,
            changes=changes, reference=reference, tasks=tasks, corpus=corpus, data=data, text=given, vocab_size=vocab_size,
        )  # fmt: skip

    # -- parts --------------------------------------------------------------------------------------------------------

    def _variants(self) -> dict[str, PretrainSettings]:
        base, found = self._base(), {}
        shared = self._changes(self._table("settings"), "settings")
        if not self._tables("variants"):
            self.problems.append("there are no variants: give each a table, such as [variants.mlm]")
        for name, changes in self._tables("variants").items():
            where = f"variants.{name}"
            self._check_name(name, where)
            own = self._changes(changes, where)
            values = base | shared | own
            values["model"] = {**base.get("model", {}), **shared.get("model", {}), **own.get("model", {})}
            try:
                found[name] = settings_from(values, where=where)
            except ElectraError as error:
                text = _one_line(error)
                self.problems.append(text if text.startswith(where) else f"{where}: {text}")
        return found

    def _base(self) -> dict[str, Any]:
        name, recipe = self._get("preset", str, None), self._path("recipe")
        if name is not None and recipe is not None:
            self.problems.append("preset and recipe are both given; expected one")
        try:
            return (read_recipe(recipe) if recipe is not None else preset(name or "tiny")).to_dict()
        except ElectraError as error:
            self.problems.append(_one_line(error))
            return preset("tiny").to_dict()

    def _changes(self, changes: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Without keys that are the study's to decide, which are problems."""
        for key in (key for key in DECIDED if key in changes):
            self.problems.append(f"{where}.{key}: the study decides it, by budgets, seeds, evaluations and --threads")
        if not isinstance(changes.get("model", {}), dict):
            self.problems.append(f"{where}.model is {changes['model']!r}, expected a table")
        kept = {key: value for key, value in changes.items() if key not in DECIDED}
        return kept if isinstance(kept.get("model", {}), dict) else kept | {"model": {}}

    def _tasks(self) -> dict[str, TaskPlan]:
        shared, found = self._table("finetune"), {}
        known = [f.name for f in fields(TuneSettings) if f.name not in TUNED_BY_US] + list(OF_TASKS)
        self._check_known(shared, known, "finetune.")
        for name, own in self._tables("tasks").items():
            if name == DETECTION:
                found[name] = self._detection(own)
                continue
            self._check_known(own, known, f"tasks.{name}.")
            try:
                row = find_task(name)
                held = {"epochs": row.epochs, "max_length": row.max_length, "evaluations": 1, **shared, **own}
                limit, options = held.pop("limit_train", None), held.pop("set", {})
                make_kind(row.kind, {**row.settings, **options})
                if limit is not None and (not isinstance(limit, int) or limit < 1):
                    self.problems.append(f"tasks.{name}.limit_train is {limit!r}, expected 1 or more examples")
                settings = TuneSettings(**{key: value for key, value in held.items() if key in known})
                found[row.name] = TaskPlan(settings=settings, limit_train=limit, options=options)
            except (ElectraError, TypeError, AttributeError) as error:
                self.problems.append(f"tasks.{name}: {_one_line(error)}")
        return found

    def _detection(self, own: Mapping[str, Any]) -> TaskPlan:
        self._check_known(own, ("rows",), f"tasks.{DETECTION}.")
        rows = own.get("rows", ROWS)
        if not _is_count(rows) or rows < 1:
            self.problems.append(f"tasks.{DETECTION}.rows is {rows!r}, expected 1 or more windows of text")
        return TaskPlan(settings=TuneSettings(seeds=1), limit_train=rows)

    def _check_data(self, tasks: Sequence[str], data: Path | None) -> None:
        tasks = [name for name in tasks if name != DETECTION]
        if any(name != DETECTION for name in self._table("tasks")) and data is None:
            self.problems.append("there are tasks, and no folder of their files: give --data, or the key data")
        for name in tasks if data is not None else ():
            try:
                if data is not None and place_of(data, name) is None:
                    self.problems.append(f"tasks.{name}: {data} has no train and dev file of it")
            except ElectraError as error:
                self.problems.append(f"tasks.{name}: {_one_line(error)}")

    def _seeds(self) -> tuple[int, ...]:
        held = self.values.get("seeds", 3)
        if isinstance(held, int) and not isinstance(held, bool) and held > 0:
            return tuple(range(held))
        if isinstance(held, list) and held and len(set(held)) == len(held) and all(_is_count(seed) for seed in held):
            return tuple(held)
        self.problems.append(f"seeds is {held!r}, expected how many, or a list of different whole numbers from 0")
        return ()

    def _budgets(self) -> tuple[Budget, ...]:
        held, found = self._table("budgets"), list[Budget]()
        self._check_known(held, tuple(UNITS), "budgets.")
        for unit in (unit for unit in UNITS if unit in held):
            amounts = held[unit] if isinstance(held[unit], list) else [held[unit]]
            if not amounts or not all(_is_amount(amount) for amount in amounts) or len(set(amounts)) != len(amounts):
                self.problems.append(f"budgets.{unit} is {held[unit]!r}, expected different positive numbers")
                continue
            found += [Budget(unit, float(amount)) for amount in sorted(amounts)]
        if not held:
            self.problems.append("there are no budgets: give [budgets] with minutes, flops or tokens")
        return tuple(found)

    # -- values -------------------------------------------------------------------------------------------------------

    def _get(self, key: str, kind: type, default: Any) -> Any:
        value = self.values.get(key, default)
        if value is not default and (not isinstance(value, kind) or isinstance(value, bool)):
            self.problems.append(f"{key} is {value!r}, expected {'text' if kind is str else 'a whole number'}")
            return default
        return value

    def _count(self, key: str, default: int) -> int:
        value: int = self._get(key, int, default)
        if value < 1:
            self.problems.append(f"{key} is {value!r}, expected 1 or more")
        return value

    def _list(self, key: str, kind: type) -> list[Any]:
        value = self.values.get(key, [])
        held = value if isinstance(value, list) else [value]
        if not all(isinstance(one, kind) for one in held):
            self.problems.append(f"{key} is {value!r}, expected text, or a list of it")
            return []
        return held

    def _table(self, key: str) -> dict[str, Any]:
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            self.problems.append(f"{key} is {value!r}, expected a table: [{key}]")
            return {}
        return value

    def _tables(self, key: str) -> dict[str, dict[str, Any]]:
        """The tables of a table; what is none is told once, by who asks first."""
        held = self._table(key)
        for name in [name for name, value in held.items() if not isinstance(value, dict)]:
            self.problems.append(f"{key}.{name} is {held.pop(name)!r}, expected a table: [{key}.{name}]")
        return held

    def _place(self, word: str) -> Path:
        return self.path.parent / word

    def _path(self, key: str) -> Path | None:
        word = self._get(key, str, None)
        return None if word is None else self._place(word)

    def _check_name(self, name: str, where: str) -> None:
        if not NAME.fullmatch(name):
            self.problems.append(f'{where}: "{name}" will name files; expected letters, digits, "_", "." and "+"')

    def _check_known(self, held: Mapping[str, Any], known: Sequence[str], where: str) -> None:
        for key in (key for key in held if key not in known):
            self.problems.append(f'"{where}{key}" does not exist{did_you_mean(key, known)}')


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def _one_line(error: Exception) -> str:
    text = re.sub(r"\A(pretraining|fine-tuning) settings have \d+ problems?:\s*- ", "", str(error))
    return re.sub(r":?\n\s*- ", "; ", text).strip()
