"""A sorted string table, the file format of a TensorFlow checkpoint's table of contents: sorted keys with their values.

Blocks of entries, each key stored as what it shares with the one before and the rest; an index of the blocks; a footer.
Every block has a checksum. Source: leveldb, doc/table_format.md; tensorflow/core/lib/io/format.h.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from electra.errors import WeightsError, install_hint

MAGIC = 0xDB4775248B80FB57
FOOTER = 48  # bytes: two handles, filled up with zeros, and the magic number
TRAILER = 5  # bytes after a block: how it is compressed, and its checksum
RESTART = 16  # entries between keys that are stored whole
BLOCK = 1 << 18  # bytes of a block
MASK = 0xA282EAD8
CHUNK = 1 << 20  # bytes of which a checksum is taken at a time, so that no copy of a large tensor is made


class TableError(WeightsError):
    """A table that is cut short, damaged, or of a kind we do not read."""


def masked_crc32c(data: Any) -> int:
    """The checksum of bytes as TensorFlow stores it."""
    try:
        import google_crc32c
    except ImportError:
        raise install_hint("google-crc32c", "convert", "the checksums of a TensorFlow checkpoint") from None
    crc, whole = 0, memoryview(data)
    whole = whole.cast("B") if whole.nbytes else memoryview(b"")
    for start in range(0, len(whole), CHUNK):
        crc = int(google_crc32c.extend(crc, bytes(whole[start : start + CHUNK])))
    return (((crc >> 15) | (crc << 17)) + MASK) & 0xFFFFFFFF


def read_varint(data: bytes, place: int) -> tuple[int, int]:
    """An integer of variable length at `place`, and the place after it."""
    value = shift = 0
    while place < len(data) and shift < 64:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
    raise TableError(f"a number at byte {place} does not end")


def write_varint(value: int) -> bytes:
    """An integer of variable length."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def read_table(data: bytes) -> dict[bytes, bytes]:
    """All entries of a table, in order. Raises TableError that says which part is damaged."""
    if len(data) < FOOTER or int.from_bytes(data[-8:], "little") != MAGIC:
        raise TableError(f"the last 8 of its {len(data):,} bytes are not those that end a table of contents")
    footer = data[-FOOTER:-8]
    _, place = _read_handle(footer, 0)  # of an index of further blocks, which TensorFlow leaves empty
    index, _ = _read_handle(footer, place)
    entries: dict[bytes, bytes] = {}
    last = b""
    for _, handle in _entries(_block(data, index)):
        for key, value in _entries(_block(data, _read_handle(handle, 0)[0])):
            if entries and key <= last:
                raise TableError(f"its keys are out of order at {key!r}")
            entries[key], last = value, key
    return entries


def write_table(entries: Mapping[bytes, bytes]) -> bytes:
    """A table of these entries."""
    data, index = bytearray(), {}
    block: dict[bytes, bytes] = {}
    size = 0
    for key in sorted(entries):
        block[key] = entries[key]
        size += len(key) + len(entries[key])
        if size >= BLOCK:
            index[key] = _append_block(data, block)
            block, size = {}, 0
    if block or not index:
        index[next(reversed(block), b"")] = _append_block(data, block)
    meta = _append_block(data, {})
    footer = meta + _append_block(data, index, restart=1)
    return bytes(data) + footer.ljust(FOOTER - 8, b"\0") + MAGIC.to_bytes(8, "little")


def _read_handle(data: bytes, place: int) -> tuple[tuple[int, int], int]:
    """Offset and size of a block, and the place after them."""
    offset, place = read_varint(data, place)
    size, place = read_varint(data, place)
    return (offset, size), place


def _block(data: bytes, handle: tuple[int, int]) -> bytes:
    offset, size = handle
    end = offset + size
    if end + TRAILER > len(data) - FOOTER:
        raise TableError(f"a block at bytes {offset} to {end} lies beyond its end, {len(data)}")
    if data[end] != 0:
        raise TableError(f"a block at byte {offset} is compressed (kind {data[end]}), which TensorFlow does not write")
    if not _is_intact(data[offset : end + 1], data[end + 1 : end + TRAILER]):
        raise TableError(f"the block at bytes {offset} to {end} does not have the checksum stored with it")
    return data[offset:end]


def _is_intact(content: bytes, checksum: bytes) -> bool:
    return masked_crc32c(content) == int.from_bytes(checksum, "little")


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(block) < 4:
        raise TableError("a block has no list of restarts")
    stop = len(block) - 4 * (1 + int.from_bytes(block[-4:], "little"))
    if stop < 0:
        raise TableError("a block's list of restarts is longer than the block")
    place, key = 0, b""
    while place < stop:
        shared, place = read_varint(block, place)
        rest, place = read_varint(block, place)
        size, place = read_varint(block, place)
        if shared > len(key) or place + rest + size > stop:
            raise TableError(f"an entry after {key!r} is longer than its block")
        key = key[:shared] + block[place : place + rest]
        place += rest
        yield key, block[place : place + size]
        place += size


def _append_block(data: bytearray, entries: Mapping[bytes, bytes], restart: int = RESTART) -> bytes:
    """Write a block at the end of `data`; its handle."""
    block, restarts, before = bytearray(), [0], b""
    for number, (key, value) in enumerate(entries.items()):
        shared = 0
        if number % restart:
            while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                shared += 1
        elif number:
            restarts.append(len(block))
        block += (
            write_varint(shared) + write_varint(len(key) - shared) + write_varint(len(value)) + key[shared:] + value
        )
        before = key
    for place in (*restarts, len(restarts)):
        block += place.to_bytes(4, "little")
    handle = write_varint(len(data)) + write_varint(len(block))
    block.append(0)  # not compressed
    data += block + masked_crc32c(bytes(block)).to_bytes(4, "little")
    return handle
