"""The process of one piece: reads its order from standard input, makes or continues the piece, and writes its result.

    python -m electra.study.piece < ORDER

Unusual here: the order is one line, and standard input stays open after it. When it closes, because the study was stopped or
killed, the piece saves where it stands and ends: no process is left behind.
"""

import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import electra
from electra.config import read_json_object
from electra.errors import FrozenRunError, RunFailedError
from electra.flops import step_flops as paper_flops
from electra.study.contents import DETECTION, Budget
from electra.study.detection import detection_piece
from electra.study.fitting import fit, networks_of, step_flops
from electra.study.speed import SPEED, measured_speed
from electra.training.encoder import open_encoder
from electra.training.finetune import finetune
from electra.training.health import health_lines
from electra.training.interrupt import StopRequest
from electra.training.pretrain import pretrain
from electra.training.run import RunFolder, read_metrics
from electra.training.settings import PretrainSettings, settings_from
from electra.training.tune_data import published_data
from electra.training.tune_files import write_text
from electra.training.tune_settings import TuneSettings

try:
    import fcntl
except ImportError:  # not on Windows: what another process still writes is then not waited for
    fcntl = None  # type: ignore[assignment]

Order = dict[str, Any]
Result = dict[str, Any]
Make = Callable[[Order, Path], tuple[StopRequest, Result | None]]  # the order, and the folder of the piece


def main(pretraining: Make | None = None, speed: Callable[[Order], Result] = measured_speed) -> int:
    """0 when the piece is done, 75 or 130 where it was asked to stop before.

    pretraining   what makes a piece of pretraining; None: ours
    speed         what measures how long a step of it takes
    """
    order: Order = json.loads(sys.stdin.readline())
    started = time.perf_counter()
    threading.Thread(target=_end_with_the_study, daemon=True).start()
    folder = Path(order["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        makers: dict[str | None, Make] = {
            None: pretraining or pretrain_piece,
            SPEED: lambda order, _: (StopRequest(), speed(order)),
            DETECTION: detection_piece,
        }
        make = makers.get(order["task"], tune_piece)
        spent = _seconds(folder)
        try:
            stop, result = make(order, folder)
        except RunFailedError as error:
            stop, result = StopRequest(), {"failed": str(error)}
        spent += time.perf_counter() - started
        if result is None:
            write_text(folder / "spent.json", json.dumps({"seconds": spent}) + "\n")
            return stop.exit_code
        keys = ("name", "variant", "budget", "seed", "task")
        held = {key: order[key] for key in keys} | {"electra": electra.__version__, "process_seconds": round(spent, 1)}
        write_text(Path(order["result"]), json.dumps(held | result) + "\n")
        _prune(folder)
    return 0


def _end_with_the_study() -> None:
    while os.read(0, 1):  # not through sys.stdin, whose lock would be held when the process ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process, such as the one of a study that was killed, works in the folder."""
    with open(folder / "lock", "a+") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _seconds(folder: Path) -> float:
    """What earlier processes of this piece took, of those that ended well."""
    return float(read_json_object(folder / "spent.json")["seconds"]) if (folder / "spent.json").is_file() else 0.0


def _prune(folder: Path) -> None:
    """Remove what only continuing needed, and tuned weights: their predictions stay."""
    shutil.rmtree(folder / "run" / "checkpoints", ignore_errors=True)
    if (folder / "run" / "results.json").is_file():
        for weights in folder.glob("run/**/*.safetensors"):
            weights.unlink()


# -- pretraining --------------------------------------------------------------------------------------------------------


def pretrain_piece(order: Order, folder: Path) -> tuple[StopRequest, Result | None]:
    """A run of pretraining, and what it measured. Raises FrozenRunError where the folder holds one of other settings."""
    settings, corpus, run = fitted(order, folder), Path(order["corpus"]), folder / "run"
    stop = pretrain(settings, corpus, run, panel=False)
    if stop.signal:
        return stop, None
    record, records = RunFolder(run).settings(), list(read_metrics(run / "metrics.jsonl"))
    last = next(r for r in reversed(records) if r["kind"] == "train")
    pace = order["speed"]["step_seconds"] if order["speed"] else last["seconds"] / settings.steps
    return stop, {
        "settings": record["settings"],
        "machine": record["machine"],
        "corpus": record["corpus"],
        "networks": record["networks"],
        "steps": settings.steps,
        "tokens": last["tokens"],
        "seconds": settings.steps * pace,
        "clock_seconds": last["seconds"],
        **flops_of(settings, corpus),
        "evaluations": [_numbers(r) | {"seconds": r["step"] * pace} for r in records if r["kind"] == "evaluation"],
        "health": _standing(records),
    }


def _standing(records: list[dict[str, Any]]) -> dict[str, str]:
    """What was found wrong with a run and was not over at its end, by the name of the finding."""
    found: dict[str, str] = {}
    for line in health_lines(records):
        if line["state"] == "over":
            found.pop(line["finding"], None)
        else:
            found[line["finding"]] = line["text"]
    return found


def flops_of(settings: PretrainSettings, corpus: Path) -> dict[str, float]:
    """Of a whole run: what is multiplied, and as the paper counts."""
    shape = {"length": settings.max_length, "batch_size": settings.batch_size}
    paper = paper_flops(networks_of(settings, corpus), **shape)
    return {"flops": step_flops(settings, corpus) * settings.steps, "flops_as_in_the_paper": paper * settings.steps}


def fitted(order: Order, folder: Path, fit: Callable[..., PretrainSettings] = fit) -> PretrainSettings:
    """The settings with the run's length, which are decided once."""
    path, given = folder / "settings.json", {key: order[key] for key in ("settings", "budget", "evaluations", "seed")}
    given = json.loads(json.dumps(given))
    if path.is_file():
        held = read_json_object(path)
        if held["given"] != given:
            raise FrozenRunError(
                f"{folder} was begun with other settings than the study has now; remove it, or take another folder for the study"
            )
        return settings_from(held["fitted"], where=str(path))
    base = settings_from(order["settings"] | {"seed": order["seed"], "threads": order["threads"]}, where="the study")
    speed = order["speed"] and order["speed"]["step_seconds"]
    found = fit(base, Budget(**order["budget"]), Path(order["corpus"]), evaluations=order["evaluations"], speed=speed)
    write_text(path, json.dumps({"given": given, "fitted": found.to_dict()}) + "\n")
    return found


def _numbers(record: dict[str, Any]) -> dict[str, float]:
    return {key: value for key, value in record.items() if isinstance(value, int | float)}


# -- fine-tuning --------------------------------------------------------------------------------------------------------


def tune_piece(order: Order, folder: Path) -> tuple[StopRequest, Result | None]:
    """A fine-tuning of what a run of pretraining left, and its scores."""
    notes: list[str] = []
    limit, data_folder = order["limit_train"], Path(order["data"])
    data = published_data(order["task"], data_folder, order["options"], limit=limit, seed=0, notes=notes)
    encoder = open_encoder(str(trained_network(Path(order["run"]))), notes.append)
    longest = encoder.config.max_position_embeddings
    settings = order["settings"] | {"threads": order["threads"]}
    settings["max_length"] = min(settings["max_length"], longest)
    stop, summary = finetune(data, encoder, TuneSettings(**settings), folder / "run", panel=False, report=False)
    if summary is None:
        return stop, None
    kept = (
        "kind",
        "measure",
        "train_examples",
        "dev_examples",
        "steps",
        "spread",
        "baseline",
        "collapsed",
        "far_behind",
    )
    return stop, {key: summary[key] for key in kept} | {
        "failed_seeds": summary["failed"],
        "settings": settings,
        "scores": {seed: held["scores"] for seed, held in summary["seeds"].items() if "scores" in held},
        "seconds": {seed: held["seconds"] for seed, held in summary["seeds"].items() if "seconds" in held},
        "weights": encoder.fingerprint,
    }


def trained_network(run: Path) -> Path:
    """The network of a finished run that is fine-tuned: its main one, which is the first."""
    main_network = next(iter(RunFolder(run).settings()["networks"]))
    return run / str(main_network)


if __name__ == "__main__":
    sys.exit(main())
