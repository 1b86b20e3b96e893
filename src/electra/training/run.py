"""A run folder: what a pretraining run is, how far it came, and what it measured.

    RUN/settings.json             the settings, resolved, with the fingerprints of corpus and tokenizer; written once
    RUN/metrics.jsonl             one JSON object a line, the truth of the run; kinds: train, evaluation, health,
                                  note, failure
    RUN/held_out.jsonl            examples of held-out text at each evaluation, see electra.training.held_out
    RUN/returns.json              see electra.training.divergence; only where the run went back to a checkpoint
    RUN/checkpoints/step-N/       discriminator/ and generator/ (plain model folders; with other objectives, see
                                  training/networks.py, theirs), optimizer.safetensors, state.json,
                                  manifest.json with the size and sha256 of each file
    RUN/discriminator, RUN/generator   the networks of the finished run, each with its card and a manifest for `electra verify`

Unusual here: a checkpoint is a folder that appears whole or not at all, and a run continues from the newest whole one.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from electra.config import read_json_object
from electra.disk.replace import write_atomically
from electra.disk.space import check_room, write_error
from electra.errors import DataError, FrozenRunError
from electra.training.settings import MACHINE_KEYS
from electra.verification.record import seal
from electra.weights.checkpoint import sweep_stale, verify_manifest, write_folder_atomically

STEP = "step-"
NUMBERS = 3  # a checkpoint has for each parameter: itself and two moments


class RunFolder:
    """The files of one run under `path`."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.settings_file = self.path / "settings.json"
        self.metrics_file = self.path / "metrics.jsonl"
        self.held_out_file = self.path / "held_out.jsonl"
        self.checkpoints = self.path / "checkpoints"

    def begin(self, record: dict[str, Any]) -> None:
        """Write what the run is, or hold what it was against it: FrozenRunError with the difference where they differ."""
        if not self.settings_file.exists():
            self.path.mkdir(parents=True, exist_ok=True)
            _write_text(self.settings_file, json.dumps(record, indent=1) + "\n")
            return
        differences = list(_differences(read_json_object(self.settings_file), json.loads(json.dumps(record))))
        if differences:
            lines = "\n".join(f"  - {text}" for text in differences)
            raise FrozenRunError(
                f"{self.path} was begun with other settings or data; continuing would not be the same run:\n{lines}\n"
                "Use the old settings to continue it, or another folder to begin a new run"
            )

    def settings(self) -> dict[str, Any]:
        """The record of `begin`."""
        return read_json_object(self.settings_file)

    def check_room(self, parameters: int, *, checkpoints: int, models: int, advice: str) -> None:
        """Raise DiskFullError where so many checkpoints and model folders, and one being written, will have no room."""
        needed = 4 * parameters * (NUMBERS * (checkpoints + 1) + models)
        held = sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())
        check_room(self.path, needed - held, f"{checkpoints} checkpoint{'s' * (checkpoints > 1)}", advice)

    # -- checkpoints --------------------------------------------------------------------------------------------------

    def save(self, step: int, write: Callable[[Path], None], state: dict[str, Any], *, keep: int) -> Path:
        """A checkpoint after `step` updates; older ones beyond `keep` are removed once it is safe on disk."""
        folder = self.checkpoints / f"{STEP}{step:08d}"
        with write_folder_atomically(folder) as stage:
            write(stage)
            (stage / "state.json").write_text(json.dumps(state | {"step": step}) + "\n", encoding="utf-8")
        for old in self.steps()[:-keep]:
            shutil.rmtree(old)
        return folder

    def steps(self) -> list[Path]:
        """The checkpoints, oldest first, whole or not."""
        return sorted(path for path in self.checkpoints.glob(f"{STEP}*") if path.is_dir())

    def newest(self, note: Callable[[str], None]) -> Path | None:
        """The newest whole checkpoint; a damaged one is passed over and `note` is told why."""
        sweep_stale(self.checkpoints)
        damaged = []
        for folder in reversed(self.steps()):
            try:
                verify_manifest(folder)
                return folder
            except DataError as error:
                damaged.append(str(error))
                note(f"passing over a checkpoint: {error}")
        if damaged:
            raise DataError(
                f"{self.checkpoints} has no whole checkpoint:\n" + "\n".join(f"  - {text}" for text in damaged)
            )
        return None

    def export(self, checkpoint: Path, names: list[str], describe: Callable[[Path, str], None]) -> None:
        """The networks of a checkpoint as model folders of the run itself; `describe` adds to a folder what is said of it."""
        for name in names:
            with write_folder_atomically(self.path / name) as stage:
                shutil.copytree(checkpoint / name, stage, dirs_exist_ok=True)
                describe(stage, name)
                seal(stage)

    # -- metrics ------------------------------------------------------------------------------------------------------

    def append(self, *records: dict[str, Any]) -> None:
        """Lines of metrics that belong together: one write."""
        _append(self.metrics_file, *records)

    def append_held_out(self, record: dict[str, Any]) -> None:
        """One line of what an evaluation saw."""
        _append(self.held_out_file, record)

    def forget_after(self, step: int) -> None:
        """Drop the lines of steps that will be made again, and a line that was cut short; what a kill left of this, too."""
        for leftover in self.path.glob(".*.tmp"):
            leftover.unlink()
        for path in (self.metrics_file, self.held_out_file):
            if path.exists():
                kept = [json.dumps(record) for record in read_metrics(path) if record["step"] <= step]
                _write_text(path, "".join(f"{line}\n" for line in kept))


def read_metrics(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a metrics.jsonl or held_out.jsonl; a last line cut short by a kill is left out."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            try:
                record = json.loads(line)
            except ValueError:
                if not line.endswith("\n"):
                    return
                record = None
            if not isinstance(record, dict) or not isinstance(record.get("step"), int):
                raise DataError(f"{path}, line {number}: not a record of a run; expected a JSON object with its step")
            yield record


def find_model(path: Path, network: str) -> Path:
    """The folder of a network, given a model folder, a run folder (finished or not), a checkpoint, or a folder of both."""
    path = Path(path)
    for folder in (path / network, *(step / network for step in reversed(RunFolder(path).steps()))):
        if (folder / "config.json").is_file():
            return folder
    return path


def _differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key in sorted(old.keys() | new.keys()):
        name = f"{prefix}{key}"
        if key in MACHINE_KEYS:
            continue
        before, now = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(now, dict):
            yield from _differences(before, now, f"{name}.")
        elif before != now:
            yield f"{name}: was {before!r}, is {now!r}"


def _append(path: Path, *records: dict[str, Any]) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(record) + "\n" for record in records))
    except OSError as error:
        raise write_error(path, error) from error


def _write_text(path: Path, text: str) -> None:
    write_atomically(path, lambda file: file.write(text.encode("utf-8")))
