"""electra pretrain: settings from a preset or a recipe, changed by flags, then one run."""

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from electra.training.networks import MAIN
from electra.training.settings import PRESETS, PretrainSettings, preset, read_recipe


@dataclass
class Pretrain:
    """Train a generator and a discriminator on a prepared corpus. The same command continues a run that was stopped."""

    corpus: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="CORPUS")]
    """folder written by `electra prepare`"""
    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """folder of the run: metrics, checkpoints and, at the end, each network, such as discriminator/ and generator/"""
    preset: str = "small"
    """tiny, small, small++, base, large, small-as-shipped: where the settings start"""
    recipe: Path | None = None
    """a TOML file of settings, instead of a preset"""
    init_from: Annotated[tuple[Path, ...], tyro.conf.UseAppendAction] = ()
    """begin with the weights of a checkpoint: Google's, a model folder, a run; twice for a discriminator and a generator"""
    framework: str = "torch"
    """what trains"""
    resume: Literal["auto", "must"] = "auto"
    """auto: continue the run in RUN, or begin one; must: there has to be a checkpoint to continue from"""
    quiet: bool = False
    """no progress on the terminal; metrics.jsonl has everything"""
    settings: Annotated[PretrainSettings, tyro.conf.arg(name="")] = field(default_factory=PretrainSettings)


def main(words: list[str]) -> int:
    """Returns 0 when the run is complete, 75 after SIGTERM, 130 after Ctrl-C."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--preset", default="small", choices=list(PRESETS))
    early.add_argument("--recipe", type=Path)
    known, _ = early.parse_known_args(words)
    start = read_recipe(known.recipe) if known.recipe else preset(known.preset)
    default = Pretrain(corpus=tyro.MISSING, run=tyro.MISSING, settings=start)
    command = tyro.cli(Pretrain, args=words, prog="electra pretrain", default=default)

    from electra.training.pretrain import pretrain
    from electra.training.team import rank_and_size

    stop = pretrain(
        command.settings, command.corpus, command.run, init_from=command.init_from, framework=command.framework,
        resume=command.resume, panel=not command.quiet,
    )  # fmt: skip
    if stop.exit_code:
        return stop.exit_code
    if rank_and_size()[0] > 0:
        return 0
    encoder = MAIN[command.settings.objective][0]
    print(f"the {encoder} is in {command.run / encoder}; look at the run:", file=sys.stderr)
    if encoder == "discriminator":
        print(f'  electra inspect {command.run} "The quick brown fox fake over the lazy dog"', file=sys.stderr)
    print(f"  electra report {command.run}", file=sys.stderr)
    return 0
