"""A model as an ONNX file that onnxruntime answers alone, and the proof that it answers as the model does.

    a network -> model.onnx in float32, held against PyTorch -> in int8, where asked for -> parity.json and parity.md

Unusual here: what is written is compared with the model on inputs of several shapes, with padding, and a file that differs
is not left behind. Batch, choices and length stay free; masks and token types are inputs, as the tokenizer gives them.
"""

import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from electra.errors import UsageError, WeightsError, install_hint
from electra.heads import HEADS, ORIGINAL_HEADS, Head
from electra.inference.parity.compare import Asked, check, measure
from electra.inference.parity.report import compared, lines
from electra.inference.quantize import quantize
from electra.inference.session import FILE, open_session
from electra.training.tune_files import TASK, write_text
from electra.verification.record import seal
from electra.weights.checkpoint import write_folder_atomically
from electra.weights.convert import check_target
from electra.weights.files import Array
from electra.weights.folders import save_model
from electra.weights.sources import Network, Source

OPSET = 18
TOLERANCE = 1e-4  # the largest difference of two numbers that is allowed in float32
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
AXES = {2: ("batch", "sequence"), 3: ("batch", "choices", "sequence")}
SHAPES = ((1, 3), (3, 17), (2, 300))  # rows and positions of the comparison, at most as many as the model takes
IN_ONE_FILE = 1_800_000_000  # bytes of weights; beyond 2 GB a protocol buffer ends, and they go to a file of their own
PARITY = "parity.json"
PARITY_IN_WORDS = "parity.md"


def export_source(
    source: Source,
    target: Path,
    *,
    int8: bool = False,
    asked: Asked | None = None,
    also: Callable[[Path], None] | None = None,
    overwrite: bool = False,
) -> list[str]:
    """Write model.onnx, config.json and parity.json for each network of a source; what was written and measured, in lines.

    The task.json of a tuned model comes along, so that `electra predict` answers with the exported one.

    A single network of a model folder becomes the folder `target`; otherwise it gets a folder for each network.
    int8    write 8-bit weights
    asked   the texts and examples that what is written is compared on
    also    writes a tokenizer beside the models, into the folder that is about to become the target
    Raises UsageError where the target exists, WeightsError where an exported model answers otherwise.
    """
    check_target(target, overwrite)
    asked = asked or Asked()
    heads = {name: _head(network) for name, network in source.networks.items()}
    check(asked, source.folder, heads.values())
    _torch()
    told = []
    with write_folder_atomically(target) as stage:
        folders = {name: stage if source.is_single else stage / name for name in heads}
        for folder in folders.values():
            folder.mkdir(exist_ok=True)
        if source.is_single and (source.folder / TASK).is_file():
            shutil.copyfile(source.folder / TASK, stage / TASK)
        if also is not None:
            also(stage)
        for name, folder in folders.items():
            first, *table = _export(source.networks[name], heads[name], folder, int8, asked)
            told += [f"{name}: {first}", *table]
            seal(folder, with_logits=False)
    return told


def _export(network: Network, head: Head, folder: Path, int8: bool, asked: Asked) -> list[str]:
    """Write one network into the folder, where its tokenizer and its task.json are; what was written, and the report's table."""
    with tempfile.TemporaryDirectory(prefix=".", dir=folder) as work:
        original, float32 = (_copied(folder, Path(work) / name) for name in ("original", "float32"))
        save_model(original, network.config, network.stored, "1000GB", ["safetensors"])
        network.config.save_pretrained(float32)
        network.config.save_pretrained(folder)
        difference = export_onnx(_torch_model(network.class_name, original), float32 / FILE)
        told = [f"{network.class_name}, {FILE}, opset {OPSET}, differs from the model by {difference:.1e} at most"]
        if int8:
            rows = int(vars(network.config)["vocab_size"])
            quantize(float32 / FILE, folder / FILE, rows=rows, in_one_file=IN_ONE_FILE)
            told[0] += ", then int8"
            exported = [float32, folder]
        else:
            for file in float32.glob(f"{FILE}*"):
                file.rename(folder / file.name)
            exported = [folder]
        found = measure(original, exported, head, asked)
        _check_finite(found)
    write_text(folder / PARITY, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    write_text(folder / PARITY_IN_WORDS, "\n".join(lines(found)) + "\n")
    return [*told, *compared(found)]


def _head(network: Network) -> Head:
    """The row of the table of heads. Raises UsageError for a model whose answer cannot be exported."""
    for row in HEADS:
        if row.class_name == network.class_name:
            return row
    known = ", ".join(row.class_name for row in HEADS)
    why = "no class of this library"
    if network.class_name in {row.class_name for row in ORIGINAL_HEADS}:
        why = "a head of the original code, which `electra predict` and `electra serve` answer without an export"
    raise UsageError(f"{network.class_name} is {why}, so it is not exported; what can be is {known}")


def _copied(folder: Path, target: Path) -> Path:
    """A folder with the tokenizer and the task.json of another."""
    target.mkdir()
    for file in folder.iterdir():
        if file.is_file():
            shutil.copyfile(file, target / file.name)
    return target


def _check_finite(found: dict[str, Any]) -> None:
    bad = [one["name"] for one in found["answered_by"] if not np.isfinite(one["largest_difference"])]
    if bad:
        raise WeightsError(f"{', '.join(bad)} answers with numbers that are not finite; nothing was kept")


def export_onnx(model: Any, path: Path) -> float:
    """Write a PyTorch model as ONNX; the largest difference of its answers from the model's.

    Inputs are INPUTS, (B, L) int64 or (B, C, L) of multiple choice; outputs are named as the fields of the model's answer.
    Raises WeightsError where the difference is above TOLERANCE, MissingDependencyError without onnx and onnxscript.
    """
    torch = _torch()
    example = _inputs(model, 2, 8)
    is_free = {axis: torch.export.Dim(name) for axis, name in enumerate(AXES[example[INPUTS[0]].ndim])}
    fields = {"output_attentions": False, "output_hidden_states": False, "return_dict": True}
    with torch.no_grad(), _quiet():
        tensors = {name: torch.from_numpy(array) for name, array in example.items()}
        names = list(model(**tensors, **fields))
        torch.onnx.export(
            model,
            kwargs=tensors | fields | {"return_dict": False},
            f=str(path),
            input_names=list(INPUTS),
            output_names=names,
            opset_version=OPSET,
            dynamic_shapes=dict.fromkeys(INPUTS, is_free) | dict.fromkeys(fields),
            dynamo=True,
            verbose=False,
            external_data=sum(p.numel() * p.element_size() for p in model.parameters()) > IN_ONE_FILE,
        )
    _drop_traces(path)
    difference = largest_difference(model, path, names)
    if not difference <= TOLERANCE:
        raise WeightsError(
            f"the exported model answers otherwise than the model: {difference:.1e} at most, allowed are {TOLERANCE:.0e}; "
            "nothing was kept. Does another version of torch, onnxscript or onnxruntime do better?"
        )
    return difference


def _drop_traces(path: Path) -> None:
    """Take out what the exporter noted of each node: where it stands in our source, with the paths of this machine."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    graph = model.graph
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
    onnx.save_model(model, path)


def largest_difference(model: Any, path: Path, names: list[str]) -> float:
    """How far the answers of an ONNX file are from the model's, over the inputs of SHAPES."""
    torch, session = _torch(), open_session(path)
    limit, found = model.config.max_position_embeddings, 0.0
    for rows, length in SHAPES:
        inputs = _inputs(model, rows, min(length, limit))
        with torch.no_grad():
            expected = model(**{name: torch.from_numpy(array) for name, array in inputs.items()}, return_dict=True)
        for name, answer in zip(names, session.run(names, inputs), strict=True):
            found = max(found, float(np.abs(expected[name].numpy() - answer).max()))
    return found


def _inputs(model: Any, rows: int, length: int) -> dict[str, Array]:
    """Random ids and token types; all rows but the first end in padding."""
    shape = (rows, 3, length) if type(model).__name__ == "ElectraForMultipleChoice" else (rows, length)
    rng, mask = np.random.default_rng(length), np.ones(shape, np.int64)
    mask[1:, ..., length - length // 3 :] = 0
    ids, types = (rng.integers(0, size, shape) for size in (model.config.vocab_size, model.config.type_vocab_size))
    return dict(zip(INPUTS, (ids, mask, types), strict=True))


def _torch() -> Any:
    try:
        import onnx  # noqa: F401 - what the file is changed with
        import onnxruntime  # noqa: F401 - what answers
        import onnxscript  # noqa: F401 - what torch writes ONNX with
        import torch
    except ImportError as error:
        raise install_hint(error.name or "torch", "torch,onnx", "an ONNX file") from None
    return torch


def _torch_model(class_name: str, folder: Path) -> Any:
    import electra.torch

    return getattr(electra.torch, class_name).from_pretrained(folder)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on itself: deprecations inside torch, and packages it would have looked for."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
