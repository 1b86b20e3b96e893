"""Damage to files for fuzzing, drawn by a seed, and limits to what reading a damaged file may take."""

import json
import random
import re
import resource
import signal
from contextlib import contextmanager

from electra.weights.table import read_table, write_table

SECONDS, MEMORY = 20, 1 << 30  # a case may take, and bytes it may ask for: tens of kilobytes are converted
HUGE = (2**60, 2**63 - 1, 2**64 - 1, 2**40, 2**31, 2**32 - 1, 10**9, 300_000)
SETTINGS = ("num_labels", "id2label", "label2id", "architectures", "pruned_heads", "tie_word_embeddings", "weight_map")
VALUES = (None, True, False, -1, 0, 3, 2**60, 1e300, 0.5, "", "x", [], [2], ["x"], {}, {"0": 1}, {"x": []})


def damaged(content: bytes, rng: random.Random) -> bytes:
    """One to three of: bits turned, the end cut off, ranges dropped, doubled, moved, zeroed, and numbers made huge."""
    out = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        place, length = rng.randrange(len(out) + 1), rng.choice([1, 4, 8, rng.randint(1, 200)])
        other = rng.randrange(len(out) + 1)
        match rng.choice(["turn", "cut", "drop", "double", "move", "zero", "huge", "digits"]):
            case "turn" if place < len(out):
                out[place] ^= 1 << rng.randrange(8)
            case "cut" if rng.random() < 0.3:
                del out[place:]
            case "drop":
                del out[place : place + length]
            case "double":
                out[place:place] = out[place : place + length]
            case "move":
                out[place : place + length] = out[other : other + length]
            case "zero":
                out[place : place + length] = bytes(len(out[place : place + length]))
            case "huge":
                out[place : place + 8] = rng.choice(HUGE).to_bytes(8, rng.choice(["little", "big"]))
            case "digits":
                numbers = list(re.finditer(rb"\d+", out[place : place + 5000]))
                if numbers:
                    start, end = rng.choice(numbers).span()
                    out[place + start : place + end] = str(rng.choice(HUGE)).encode()
    return bytes(out)


def damaged_within(path, content: bytes, rng: random.Random) -> bytes:
    """Damage behind what guards it: a record of a table with right checksums, a header of the right length, whole JSON."""
    if path.suffix == ".index":
        table = read_table(content)
        key = rng.choice(list(table))
        return write_table(table | {key: damaged(table[key], rng)})
    if path.suffix == ".safetensors":
        length = int.from_bytes(content[:8], "little")
        header = damaged(content[8 : 8 + length], rng)
        return len(header).to_bytes(8, "little") + header + content[8 + length :]
    if path.suffix == ".json":
        values = json.loads(content)
        place = rng.choice([values, *(inner for inner in values.values() if isinstance(inner, dict))])
        place[rng.choice([*place, *SETTINGS])] = rng.choice(VALUES)
        return json.dumps(values).encode()
    return damaged(content, rng)


@contextmanager
def limits():
    """Stop what takes too long, and what asks for more memory than any of these checkpoints needs."""

    def stop(*_):
        raise TimeoutError(f"no end after {SECONDS} seconds")

    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as sizes:
        held = int(sizes.read().split()[0]) * resource.getpagesize()
    old = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, before[1]))
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)
        resource.setrlimit(resource.RLIMIT_AS, before)


def flip_bit(path, place: int = -4) -> None:
    """Turn one bit of a file: by default the lowest of its last number, where that is a float32."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
