"""electra plan: what a run will take, before it is begun."""

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from electra.errors import UsageError
from electra.training.settings import PRESETS, PretrainSettings, preset, read_recipe

UNITS = {"k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}


@dataclass
class PlanRun:
    """Say what a run of electra pretrain will take: steps, time, memory, disk, operations and money, here and on GPUs on paper.

    Updates of the run are timed on this machine for half a minute; nothing is written.
    """

    corpus: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="CORPUS")]
    """folder written by `electra prepare`, or a number of tokens: 3300000000, 3.3e9, 3.3B"""
    preset: str = "small"
    """tiny, small, small++, base, large, small-as-shipped: where the settings start"""
    recipe: Path | None = None
    """a TOML file of settings, instead of a preset"""
    framework: str = "torch"
    """what trains"""
    seconds: float = 30.0
    """to measure this machine; 0: not at all"""
    price: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """money an hour: 0.40 for this machine, H100=2.50 for a GPU of that kind; as often as there are prices"""
    gpus: tuple[int, ...] = (1, 8)
    """how many GPUs of each kind"""
    json: bool = False
    """print the plan as JSON: seconds, bytes, tokens"""
    settings: Annotated[PretrainSettings, tyro.conf.arg(name="")] = field(default_factory=PretrainSettings)


def main(words: list[str]) -> int:
    """Returns 0."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--preset", default="small", choices=list(PRESETS))
    early.add_argument("--recipe", type=Path)
    known, _ = early.parse_known_args(words)
    start = read_recipe(known.recipe) if known.recipe else preset(known.preset)
    command = tyro.cli(PlanRun, args=words, prog="electra plan", default=PlanRun(corpus=tyro.MISSING, settings=start))
    if command.seconds < 0 or any(count < 1 for count in command.gpus):
        raise UsageError(f"--seconds is {command.seconds} and --gpus {command.gpus}, expected 0 or more and at least 1")
    corpus, prices = corpus_of(command.corpus), prices_of(command.price)

    from electra.planning.plan import make_plan
    from electra.planning.shown import lines

    plan = make_plan(
        corpus, command.settings, framework=command.framework, seconds=command.seconds, prices=prices, gpus=command.gpus
    )
    print(json.dumps(plan, indent=1) if command.json else "\n".join(lines(plan)))
    return 0


def corpus_of(text: str) -> Path | int:
    """A folder that is there, or a number of tokens. Raises UsageError on anything else."""
    if text and Path(text).is_dir():
        return Path(text)
    number, unit = (text[:-1], UNITS[text[-1].lower()]) if text[-1:].lower() in UNITS else (text, 1)
    try:
        tokens = int(float(number.replace(",", "").replace("_", "")) * unit)
    except (ValueError, OverflowError):
        tokens = 0
    if tokens < 1:
        raise UsageError(f'"{text}" is no folder, and no number of tokens such as 3.3e9 or 3.3B')
    return tokens


def prices_of(texts: tuple[str, ...]) -> dict[str, float]:
    """NAME=MONEY, or the money alone for this machine. Raises UsageError on anything else."""
    prices = {}
    for text in texts:
        name, _, money = text.rpartition("=")
        try:
            prices[name or "here"] = float(money)
        except ValueError:
            raise UsageError(
                f'--price "{text}": expected an amount an hour, or NAME=AMOUNT such as H100=2.50'
            ) from None
    return prices
