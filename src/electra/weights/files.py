"""Weight files: safetensors in and out of NumPy, one file or shards with an index.

Unusual here: bfloat16, which NumPy does not know, is read as float32 (exact) and written from arrays of type BFLOAT16.
Every error names the file. Writing goes to a temporary file beside the target, renamed when it is safe on the disk.
"""

import json
import math
import mmap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from safetensors import SafetensorError, safe_open

from electra.config import read_json_object
from electra.disk.replace import write_atomically
from electra.errors import WeightsError

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLE = "pytorch_model.bin"
BFLOAT16 = np.dtype([("bfloat16", "<u2")])  # the bits of a bfloat16 number, marked so that nobody adds them up

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]

# name in the file's header -> NumPy's type
DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": BFLOAT16,
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("<i1"),
    "U8": np.dtype("<u1"),
    "BOOL": np.dtype("?"),
}


def read_tensors(folder: Path) -> Arrays:
    """Every tensor of a model folder (or of one .safetensors file), bfloat16 widened to float32.

    Raises WeightsError where a file is absent, damaged, or does not hold what the index of shards says.
    """
    folder = Path(folder)
    if folder.is_file():
        return _read_file(folder)
    if (folder / WEIGHTS).is_file():
        return _read_file(folder / WEIGHTS)
    if (folder / INDEX).is_file():
        return read_shards(folder / INDEX, _read_file)
    held = ", ".join(sorted(path.name for path in folder.iterdir())) if folder.is_dir() else "nothing"
    raise WeightsError(f"{folder} has no {WEIGHTS} and no {INDEX}; it holds {held or 'nothing'}")


def read_shards(index: Path, read: Callable[[Path], Arrays]) -> Arrays:
    """The tensors of the files that an index of shards names, each read by `read`."""
    places = read_places(index)
    tensors: Arrays = {}
    for file in sorted(set(places.values())):
        tensors |= read(index.parent / file)
    missing = [f"{name} (in {file})" for name, file in places.items() if name not in tensors]
    if missing:
        raise WeightsError(f"{index} promises tensors that its files do not hold: {', '.join(missing)}")
    return tensors


def read_places(index: Path) -> dict[str, str]:
    """Tensor -> the file that holds it, of an index of shards. WeightsError where it does not say so."""
    places = read_json_object(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise WeightsError(f'{index} has no "weight_map" from tensor names to files; restore it from a good copy')
    for file in places.values():
        if not isinstance(file, str) or Path(file).name != file:
            raise WeightsError(f"{index} names the file {file!r}; expected the name of a file in the same folder")
    return places


def _read_file(path: Path) -> Arrays:
    if not path.is_file():
        raise WeightsError(f"{path} does not exist; restore it from a good copy or download it again")
    try:
        with safe_open(path, framework="np"):  # checks the header: sizes, gaps, overlaps, end of file
            pass
    except (SafetensorError, OSError) as error:
        size = path.stat().st_size
        raise WeightsError(
            f"{path} ({size} bytes) is not a whole safetensors file: {error}; "
            "restore it from a good copy or download it again"
        ) from None
    header, start = _header(path)
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] not in DTYPES:
            raise WeightsError(f"{path}: {name} has type {entry['dtype']}; expected one of {', '.join(DTYPES)}")
        tensors[name] = widen(_map(path, entry, start))
    return tensors


def _header(path: Path) -> tuple[dict[str, Any], int]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return header, 8 + length


def _map(path: Path, entry: Mapping[str, Any], start: int) -> Array:
    """The tensor as a private view of the file: nothing is read before it is used, nothing is written back."""
    dtype, shape = DTYPES[entry["dtype"]], tuple(entry["shape"])
    if 0 in shape:
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype=dtype, mode="c", offset=start + entry["data_offsets"][0], shape=shape)


def let_go(array: Array) -> None:
    """Free the memory of an unchanged view of a file: what was read of it is read again where it is used again."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)


def widen(array: Array) -> Array:
    """The array itself, or as float32 where it is of type BFLOAT16."""
    if array.dtype != BFLOAT16:
        return array
    return (array["bfloat16"].astype(np.uint32) << 16).view(np.float32)


def write_tensors(path: Path, tensors: Mapping[str, Array], metadata: Mapping[str, str] | None = None) -> None:
    """Write one safetensors file; `path` is the old file or the new one at every instant."""
    write_atomically(Path(path), lambda file: _write(file, tensors, metadata or {}))


def _write(file: BinaryIO, tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Looks at every tensor twice, one at a time: a mapping that loads what it is asked for never holds them all."""
    names = {dtype: name for name, dtype in DTYPES.items()}
    kinds: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {}
    for name, array in tensors.items():
        if array.dtype not in names:
            raise WeightsError(f"{name} has type {array.dtype}, which a safetensors file cannot hold")
        kinds[name] = array.dtype, array.shape
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    # Wide types first, as safetensors itself does: every tensor then starts at a multiple of its item size.
    order = sorted(kinds, key=lambda name: (-kinds[name][0].itemsize, name))
    end = 0
    for name in order:
        dtype, shape = kinds[name]
        start, end = end, end + dtype.itemsize * math.prod(shape)
        header[name] = {"dtype": names[dtype], "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for name in order:
        file.write(np.ascontiguousarray(tensors[name]).data)
