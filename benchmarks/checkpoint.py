"""Loading and saving a model folder of base size beside transformers' from_pretrained and save_pretrained, and bare safetensors.

    python benchmarks/checkpoint.py [--quick]
    python benchmarks/checkpoint.py --table

ElectraForPreTraining with random weights, a process each, taking turns; the file is in the system's cache, so this is no
measure of a disk. "load" ends when the call returns: who maps the file has read nothing yet. "load and read" adds up every
tensor after it. "save" replaces the same folder; electra waits for the disk before it renames the new files over the old
ones, the others do not. Bare safetensors are the tensors alone: no model, no configuration, nothing checked.
"""

import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from document import table, write_section
from machine import described, facts
from turns import Answer, arguments, parsed, take_turns, theirs_to_ours, told, write_results

ROUNDS = 7
WORKLOADS = ("load", "load and read", "save")
CLASS, FILE = "ElectraForPreTraining", "model.safetensors"


def main() -> None:
    options = parsed(arguments(__doc__), "checkpoint")
    if options.table:
        write_section("checkpoint", section(json.loads(options.out.read_text())))
        return
    from electra import ElectraConfig, ElectraForPreTraining

    size = "small" if options.quick else "base"
    with tempfile.TemporaryDirectory() as place:
        ElectraForPreTraining(ElectraConfig.of_size(size)).save_pretrained(Path(place) / "model")
        weight = (Path(place) / "model" / FILE).stat().st_size
        rounds = dict.fromkeys(WORKLOADS, 1 if options.quick else ROUNDS)
        measured, missing = take_turns(
            "checkpoint", list(LIBRARIES), {"folder": place}, rounds, threads=options.threads
        )
    held = {
        name: {"rounds": rounds, "theirs_to_ours": {"seconds": theirs_to_ours(rounds)}}
        for name, rounds in measured.items()
    }
    result = {"size": size, "checkpoint_bytes": weight, "left_out": missing, "measured": held}
    write_results(options.out, facts(options.threads) | result)


def contend(name: str, given: dict[str, Any], workload: str) -> Callable[[], Answer]:
    folder = Path(given["folder"])
    load, save, tensors_of = LIBRARIES[name]()
    if workload == "save":
        model = load(folder / "model")

        def save_model() -> Answer:
            save(model, folder / f"saved by {name}")
            return {}

        return save_model

    def load_model() -> Answer:
        tensors = tensors_of(load(folder / "model"))
        return {"sum": sum(float(tensor.sum()) for tensor in tensors)} if workload == "load and read" else {}

    return load_model


# -- the contenders: how to load, to save what was loaded, and to list its tensors ----------------------------------------


def with_classes(library: str) -> Callable[[], tuple[Any, Any, Any]]:
    @cache
    def start() -> tuple[Any, Any, Any]:
        import importlib

        model_class = getattr(importlib.import_module(library), CLASS)
        return model_class.from_pretrained, lambda model, path: model.save_pretrained(path), lambda m: m.parameters()

    return start


def bare() -> tuple[Any, Any, Any]:
    from safetensors.torch import load_file, save_file

    def save(tensors: Any, path: Path) -> None:
        path.mkdir(exist_ok=True)
        save_file(tensors, path / FILE)

    return lambda path: load_file(path / FILE), save, lambda tensors: tensors.values()


LIBRARIES: dict[str, Callable[[], tuple[Any, Any, Any]]] = {
    "electra": with_classes("electra"),
    "transformers": with_classes("transformers"),
    "safetensors": bare,
}


# -- the section of docs/results.md -------------------------------------------------------------------------------------


def section(result: dict[str, Any]) -> list[str]:
    """Lines of Markdown."""
    rows = []
    for name in LIBRARIES:
        cells = []
        for workload in WORKLOADS:
            held = result["measured"][workload]
            ratios = held["theirs_to_ours"]["seconds"]["electra"]
            times = f" [{ratios[name]['median']:.2g}]" if name in ratios else ""
            cells.append(told([1000 * one["seconds"] for one in held["rounds"][name]], ",.1f") + times)
        peak = max(one["peak_bytes"] for one in result["measured"]["load and read"]["rounds"][name])
        rows.append([name, *cells, f"{peak / 1e6:,.0f}"])
    return [
        "## Loading and saving",
        "",
        f"`python benchmarks/checkpoint.py`: {CLASS}, size {result['size']}, {result['checkpoint_bytes'] / 1e6:,.0f} MB, a",
        "process each, taking turns; milliseconds by the clock, median (lowest to highest), and in brackets theirs to ours in",
        "the same round. The file is in the system's cache. Who maps the file has read nothing when `load` ends; `load and",
        "read` adds up every tensor. electra copies what it loads and looks at every number, since one that is not finite is",
        "refused, and waits for the disk when it saves; the others do neither.",
        described(result),
        "",
        *table(("", *WORKLOADS, "peak MB after load and read"), rows),
        "",
        "File: [checkpoint.json](../benchmarks/results/checkpoint.json).",
    ]


if __name__ == "__main__":
    main()
