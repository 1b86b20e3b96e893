"""TensorFlow 1 checkpoints without TensorFlow: PREFIX.index, a table of contents, and PREFIX.data-*, raw little-endian bytes.

Unusual here: nothing of a tensor is read before it is used, so a checkpoint larger than memory can be looked at; its
checksum is checked when it is. Source: tensorflow/core/util/tensor_bundle and protobuf/tensor_bundle.proto.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from electra.disk.replace import write_atomically
from electra.errors import WeightsError
from electra.weights.files import BFLOAT16, widen
from electra.weights.table import TableError, masked_crc32c, read_table, read_varint, write_table, write_varint

Array = np.ndarray[Any, Any]

# number in the file -> NumPy's type
DTYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"), 2: np.dtype("<f8"), 3: np.dtype("<i4"), 4: np.dtype("u1"), 5: np.dtype("<i2"), 6: np.dtype("i1"),
    9: np.dtype("<i8"), 10: np.dtype("?"), 14: BFLOAT16, 19: np.dtype("<f2"),
}  # fmt: skip
HEADER = bytes([0x08, 1, 0x1A, 2, 0x08, 1])  # one shard, little-endian, written by version 1 of the format


@dataclass(frozen=True)
class Entry:
    """Where a tensor stands: its type and shape, the shard, the bytes offset:offset + size of it, and their checksum."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int


class Bundle(Mapping[str, Array]):
    """The tensors of a checkpoint by their names; `entries` tells of all without reading any."""

    def __init__(self, prefix: Path) -> None:
        """prefix    the path without .index, such as model.ckpt-1000. Raises WeightsError where it is no checkpoint."""
        self.prefix = Path(prefix)
        self._intact: set[str] = set()  # the tensors whose checksum was found right
        index = Path(f"{prefix}.index")
        if not index.is_file():
            raise WeightsError(f"{index} does not exist; a checkpoint is a .index and one or more .data-* files")
        try:
            table = read_table(index.read_bytes())
            self.shards, self.entries = _parse(table)
        except TableError as error:
            raise WeightsError(f"{index} is damaged: {error}; restore it from a good copy") from None
        self._check_shards()

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, name: str) -> Array:
        """A tensor, bfloat16 as float32. Raises WeightsError where its bytes do not have their checksum."""
        entry = self.entries[name]
        if entry.size == 0:
            return np.zeros(entry.shape, entry.dtype)
        data = np.memmap(self.shard_path(entry.shard), np.uint8, "r", entry.offset, (entry.size,))
        if name not in self._intact and masked_crc32c(data) != entry.checksum:
            raise WeightsError(
                f"{self.shard_path(entry.shard)}: the bytes of {name} do not have the checksum stored with them; the "
                "file is damaged, restore it from a good copy"
            )
        self._intact.add(name)
        return widen(data.view(entry.dtype).reshape(entry.shape))

    def shard_path(self, number: int) -> Path:
        """The file of a shard."""
        return Path(f"{self.prefix}.data-{number:05d}-of-{self.shards:05d}")

    def _check_shards(self) -> None:
        sizes = {}
        for number in {entry.shard for entry in self.entries.values()}:
            path = self.shard_path(number)
            if not path.is_file():
                raise WeightsError(f"{path} does not exist, but {self.prefix.name}.index names it")
            sizes[number] = path.stat().st_size
        for name, entry in self.entries.items():
            if entry.offset + entry.size > sizes[entry.shard]:
                raise WeightsError(
                    f"{self.shard_path(entry.shard)} has {sizes[entry.shard]:,} bytes, but {name} ends at "
                    f"{entry.offset + entry.size:,}: the file is cut short, restore it from a good copy"
                )


def write_bundle(prefix: Path, tensors: Mapping[str, Array]) -> None:
    """Write a checkpoint of one shard, and the file `checkpoint` that names it as the newest.

    The table of contents is renamed into place last. Raises WriteError with what was there before untouched.
    """
    entries: dict[bytes, bytes] = {b"": HEADER}
    numbers = {dtype: number for number, dtype in DTYPES.items()}

    def write(file: Any) -> None:
        offset = 0
        for name in sorted(tensors):
            array = np.ascontiguousarray(tensors[name]).reshape(np.shape(tensors[name]))
            if array.dtype not in numbers:
                raise WeightsError(f"{name} has type {array.dtype}, which a TensorFlow checkpoint cannot hold")
            file.write(array.data)
            entry = Entry(array.dtype, array.shape, 0, offset, array.nbytes, masked_crc32c(array))
            entries[name.encode()] = _entry_bytes(entry, numbers[array.dtype])
            offset += array.nbytes

    prefix.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(Path(f"{prefix}.data-00000-of-00001"), write)
    write_atomically(Path(f"{prefix}.index"), lambda file: file.write(write_table(entries)))
    names = f'model_checkpoint_path: "{prefix.name}"\nall_model_checkpoint_paths: "{prefix.name}"\n'
    write_atomically(prefix.parent / "checkpoint", lambda file: file.write(names.encode()))


def _parse(table: Mapping[bytes, bytes]) -> tuple[int, dict[str, Entry]]:
    if b"" not in table:
        raise TableError("it has no header entry, so it is no checkpoint's")
    header = dict(_fields(table[b""]))
    if header.get(2, 0) != 0:
        raise TableError("it is of a big-endian machine, which is not read")
    entries = {}
    for key, value in table.items():
        if key:
            try:
                name = key.decode()
            except UnicodeDecodeError:
                raise TableError(f"the name {key!r} is not UTF-8") from None
            entries[name] = _entry(name, value)
    shards = _number(header, 1, "its header", otherwise=1)
    if any(entry.shard >= shards for entry in entries.values()):
        raise TableError(f"it names shards beyond the {shards} there are")
    return shards, entries


def _entry(name: str, data: bytes) -> Entry:
    shape: tuple[int, ...] = ()
    values: dict[int, Any] = {}
    for number, value in _fields(data):
        if number == 2:
            shape = _shape(name, value)
        elif number == 7:
            raise TableError(f"{name} is stored in slices (a partitioned variable), which is not read")
        else:
            values[number] = value
    dtype = DTYPES.get(values.get(1, 0))
    if dtype is None:
        raise TableError(f"{name} is of a type that is no number (type {values.get(1, 0)})")
    shard, offset, size, checksum = (_number(values, field, f"the entry of {name}") for field in (3, 4, 5, 6))
    if math.prod(shape) * dtype.itemsize != size:
        raise TableError(f"{name} has shape {shape} of {dtype}, but {size} bytes")
    return Entry(dtype, shape, shard, offset, size, checksum)


def _number(fields: Mapping[int, Any], field: int, where: str, otherwise: int = 0) -> int:
    value = fields.get(field, otherwise)
    if not isinstance(value, int):
        raise TableError(f"{where} holds text where a number belongs")
    return value


def _shape(name: str, data: Any) -> tuple[int, ...]:
    sizes = []
    for number, dimension in _fields(data):
        if number == 2:
            size = dict(_fields(dimension)).get(1, 0)
            if not isinstance(size, int) or size >= 1 << 48:
                raise TableError(f"{name} has an axis of impossible size")
            sizes.append(size)
    return tuple(sizes)


def _fields(data: Any) -> Iterator[tuple[int, Any]]:
    """Number and value of the fields of a protocol buffer: integers, or bytes of what is nested."""
    if not isinstance(data, bytes):
        raise TableError("a number stands where a nested record belongs")
    place = 0
    while place < len(data):
        tag, place = read_varint(data, place)
        kind = tag & 7
        if kind == 0:
            value, place = read_varint(data, place)
            yield tag >> 3, value
            continue
        size = {1: 8, 5: 4}.get(kind)
        if kind == 2:
            size, place = read_varint(data, place)
        if size is None or place + size > len(data):
            raise TableError("a record is cut short, or has a field of unknown kind")
        content = data[place : place + size]
        yield tag >> 3, content if kind == 2 else int.from_bytes(content, "little")
        place += size


def _entry_bytes(entry: Entry, dtype: int) -> bytes:
    shape = b"".join(b"\x12" + _nested(b"\x08" + write_varint(size)) for size in entry.shape)
    out = b"\x08" + write_varint(dtype) + b"\x12" + _nested(shape)
    if entry.offset:
        out += b"\x20" + write_varint(entry.offset)
    if entry.size:
        out += b"\x28" + write_varint(entry.size)
    return out + b"\x35" + entry.checksum.to_bytes(4, "little")


def _nested(data: bytes) -> bytes:
    return write_varint(len(data)) + data
