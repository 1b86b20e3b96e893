"""A model as an ONNX file that onnxruntime answers alone, and the proof that it answers as the model does.

Unusual here: what is written is compared with the model on inputs of several shapes, with padding, and a file that differs
is not left behind. Batch, choices and length stay free; masks and token types are inputs, as the tokenizer gives them.
"""

import logging
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from electra.errors import UsageError, WeightsError, install_hint
from electra.heads import HEADS
from electra.inference.session import FILE, open_session
from electra.training.tune_files import TASK
from electra.weights.checkpoint import write_folder_atomically
from electra.weights.convert import check_target
from electra.weights.files import WEIGHTS, Array
from electra.weights.folders import save_model
from electra.weights.sources import Source

OPSET = 18
TOLERANCE = 1e-4  # the largest difference of two numbers that is allowed
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
AXES = {2: ("batch", "sequence"), 3: ("batch", "choices", "sequence")}
SHAPES = ((1, 3), (3, 17), (2, 300))  # rows and positions of the comparison, at most as many as the model takes
IN_ONE_FILE = 1_800_000_000  # bytes of weights; beyond 2 GB a protocol buffer ends, and they go to a file of their own


def export_source(
    source: Source, target: Path, *, also: Callable[[Path], None] | None = None, overwrite: bool = False
) -> list[str]:
    """Write model.onnx and config.json for each network of a source; what was written and compared, a line each.

    The task.json of a tuned model comes along, so that `electra predict` answers with the exported one.

    A single network of a model folder becomes the folder `target`; otherwise it gets a folder for each network.
    also    writes what belongs beside the models, into the folder that is about to become the target
    Raises UsageError where the target exists, WeightsError where an exported model answers otherwise.
    """
    check_target(target, overwrite)
    lines = []
    with write_folder_atomically(target) as stage:
        for name, network in source.networks.items():
            if network.class_name not in {row.class_name for row in HEADS}:
                raise UsageError(f"{network.class_name} is no class of this library, so its answer cannot be exported")
            folder = stage if source.is_single else stage / name
            save_model(folder, network.config, network.stored, "1000GB", ["safetensors"])
            model = _torch_model(network.class_name, folder)
            (folder / WEIGHTS).unlink()
            difference = export_onnx(model, folder / FILE)
            lines.append(
                f"{name}: {network.class_name}, {FILE}, opset {OPSET}, differs from the model by {difference:.1e} at most"
            )
        if source.is_single and (source.folder / TASK).is_file():
            shutil.copyfile(source.folder / TASK, stage / TASK)
        if also is not None:
            also(stage)
    return lines


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
    difference = largest_difference(model, path, names)
    if not difference <= TOLERANCE:
        raise WeightsError(
            f"the exported model answers otherwise than the model: {difference:.1e} at most, allowed are {TOLERANCE:.0e}; "
            "nothing was kept. Does another version of torch, onnxscript or onnxruntime do better?"
        )
    return difference


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
        import onnxscript  # noqa: F401 - what torch writes ONNX with
        import torch
    except ImportError as error:
        raise install_hint(error.name or "torch", "torch,onnx", "an ONNX file") from None
    return torch


def _torch_model(class_name: str, folder: Path) -> Any:
    _torch()
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
