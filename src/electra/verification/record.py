"""The record in a model folder's manifest.json: enough to say later whether the folder, or what reads it, has changed.

files          name -> size and sha256
tensors        name -> dtype and shape, as safetensors calls them
tokenizations  texts and their ids
sample         input ids, and some of the logits that the model answers, in float32 on the CPU
made_with      package -> version, of what computed the ids and the logits
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from electra.config import read_json_object
from electra.errors import DataError, ElectraError, WeightsError
from electra.tokenization import load_tokenizer
from electra.tokenization.base import Tokenizer
from electra.verification.sample import Sample, take_sample, versions
from electra.weights.checkpoint import MANIFEST, read_manifest, write_manifest
from electra.weights.files import DTYPES, INDEX, WEIGHTS
from electra.weights.folders import read_weights
from electra.weights.recorded import recorded_files
from electra.weights.sources import open_source

# Each meets a rule of the tokenizers that a vocabulary, a normaliser or another version of a package could change.
TEXTS = (
    "The chef cooked the meal in the garage.",
    "MIXED Case, ALL CAPS and camelCase",
    "Élan, naïve, Ångström, Straße, İstanbul, cafe\u0301",
    "東京は夜の七時, 한국어 and 中文",
    "don't—really?! (a/b) [c] $5.00, 100% e-mail@example.org",
    "Donaudampfschifffahrtsgesellschaftskapitän antidisestablishmentarianism " + "x" * 101,
    "👍🏽 👩‍🚀 ☃ ᚠᛇᚻ",
    " tab\tnew\nline\u00a0no-break\u200bzero\u00adsoft\u0000nul\ufffd ",
    "[CLS] The [MASK] sat. [SEP]",
    "",
)


@dataclass(frozen=True)
class Record:
    """What a manifest says; None or empty where it does not say it."""

    files: dict[str, dict[str, Any]]
    tensors: dict[str, dict[str, Any]] | None = None
    tokenizations: dict[str, list[int]] | None = None  # text -> ids
    sample: Sample | None = None
    made_with: dict[str, str] = field(default_factory=dict)


def read_record(folder: Path) -> Record | None:
    """The record of a folder, or what the manifest of the folder around it says of its files, as in checkpoints of a run.

    None where there is none. Raises DataError where a manifest is not one that we write.
    """
    if (folder / MANIFEST).is_file():
        return _parse(folder / MANIFEST, read_manifest(folder))
    inner = recorded_files(folder)
    return Record(inner) if inner else None


def _parse(path: Path, held: Mapping[str, Any]) -> Record:
    try:
        texts, sample = held.get("tokenizations"), held.get("sample")
        return Record(
            files=held["files"],
            tensors=None
            if "tensors" not in held
            else {name: _entry(str(entry["dtype"]), entry["shape"]) for name, entry in held["tensors"].items()},
            tokenizations=None if texts is None else {str(entry["text"]): list(entry["ids"]) for entry in texts},
            sample=None
            if sample is None
            else Sample(
                str(sample["framework"]),
                np.array(sample["input_ids"], np.int64).tolist(),
                [float(x) for x in sample["logits"]],
            ),
            made_with={str(package): str(version) for package, version in held.get("made_with", {}).items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(f"{path} is not as it was written ({type(error).__name__}: {error}); record it again") from None


def seal(folder: Path, *, with_logits: bool = True) -> list[str]:
    """Write the manifest of a finished model folder; what could not be recorded and why, a line each.

    with_logits=False spares what loading a framework and the whole model costs.
    Raises WriteError where the disk refuses, DataError where a manifest.json of other makers stands there.
    """
    if (folder / MANIFEST).is_file() and "files" not in read_json_object(folder / MANIFEST):
        raise DataError(f"{folder / MANIFEST} is not one of ours, and is left as it is; move it away to write one")
    facts: dict[str, Any] = {}
    notes = []
    framework = ""
    try:
        facts["tensors"] = tensors_of(folder)
        if with_logits:
            (network,) = open_source(folder, check_manifest=False).networks.values()
            sample = take_sample(folder, network.class_name, network.config)
            facts["sample"], framework = asdict(sample), sample.framework
    except (
        ElectraError,
        ImportError,
        MemoryError,
        RuntimeError,
    ) as error:  # a finished run is not lost over its sample
        notes.append(f"no {'logits' if 'tensors' in facts else 'tensors'}: {error}")
    try:
        facts["tokenizations"] = [{"text": text, "ids": ids} for text, ids in tokenize(load_tokenizer(folder)).items()]
    except ElectraError as error:
        notes.append(f"no tokenizations: {error}")
    write_manifest(folder, facts | {"made_with": versions(framework)})
    return notes


def tokenize(tokenizer: Tokenizer, texts: Iterable[str] = TEXTS) -> dict[str, list[int]]:
    """Text -> ids."""
    return {text: list(tokenizer(text, truncation=False)["input_ids"]) for text in texts}


def tensors_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Name -> dtype and shape; of safetensors from the headers alone. WeightsError where a file is absent or damaged."""
    if (folder / WEIGHTS).is_file():
        files = {WEIGHTS}
    elif (folder / INDEX).is_file():
        files = set(read_json_object(folder / INDEX).get("weight_map", {}).values())
    else:
        names = {dtype: name for name, dtype in DTYPES.items()}
        arrays = read_weights(folder, check_manifest=False)
        return {name: _entry(names.get(np.dtype(a.dtype), str(a.dtype)), a.shape) for name, a in arrays.items()}
    found: dict[str, dict[str, Any]] = {}
    for file in files:
        try:
            with safe_open(folder / file, framework="np") as tensors:
                parts = {name: tensors.get_slice(name) for name in tensors.keys()}  # noqa: SIM118 - not a mapping
                found |= {name: _entry(part.get_dtype(), part.get_shape()) for name, part in parts.items()}
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{folder / file} is not a whole safetensors file: {error}") from None
    return dict(sorted(found.items()))


def _entry(dtype: str, shape: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape)}
