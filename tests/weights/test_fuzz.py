"""Damaged checkpoints of every kind, converted: a target that was proven, or our error and no trace of one."""

import json
import random
import re
import resource
import shutil
import signal
from contextlib import contextmanager

import pytest
from nightly import examples

import electra
from electra.config import ElectraConfig
from electra.errors import ElectraError
from electra.torch import share_embeddings
from electra.weights.checkpoint import verify_manifest
from electra.weights.convert import convert
from electra.weights.sources import open_source
from electra.weights.table import read_table, write_table

SIZES = {
    "vocab_size": 50,
    "embedding_size": 8,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 20,
    "max_position_embeddings": 12,
}
KINDS = ("google", "torch", "shards", "tf", "flax")
SECONDS, MEMORY = 20, 1 << 30  # a case may take, and bytes it may ask for: tens of kilobytes are converted
HUGE = (2**60, 2**63 - 1, 2**64 - 1, 2**40, 2**31, 2**32 - 1, 10**9, 300_000)
SETTINGS = ("num_labels", "id2label", "label2id", "architectures", "pruned_heads", "tie_word_embeddings", "weight_map")
VALUES = (None, True, False, -1, 0, 3, 2**60, 1e300, 0.5, "", "x", [], [2], ["x"], {}, {"0": 1}, {"x": []})


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Kind -> a small checkpoint of that kind."""
    folder = tmp_path_factory.mktemp("sources")
    discriminator = electra.ElectraForPreTraining(ElectraConfig(**SIZES))
    generator = electra.ElectraForMaskedLM(ElectraConfig(**SIZES).generator(0.5))
    share_embeddings(generator, discriminator)
    for name, model in (("discriminator", discriminator), ("generator", generator)):
        model.save_pretrained(folder / "pair" / name)
    discriminator.save_pretrained(folder / "torch")
    discriminator.save_pretrained(folder / "shards", max_shard_size=4000)
    for kind in ("google", "tf", "flax"):
        convert(open_source(folder / ("pair" if kind == "google" else "torch")), folder / kind, kind)
    shutil.rmtree(folder / "pair")
    return {kind: folder / kind for kind in KINDS}


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


def attempt(source, target, to) -> bool:
    """Whether a conversion succeeded; nothing but the target, whole, may then be there, and nothing at all otherwise."""
    try:
        with limits():
            convert(open_source(source), target, to)
    except ElectraError:
        assert list(target.parent.iterdir()) == []
        return False
    assert list(target.parent.iterdir()) == [target]
    verify_manifest(target)
    assert open_source(target).networks
    shutil.rmtree(target)
    return True


@pytest.mark.filterwarnings("ignore")  # settings nobody knows are kept with a warning
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_checkpoint_is_converted_or_refused_and_nothing_between(kind, sources, tmp_path):
    (tmp_path / "targets").mkdir()
    files = sorted(path for path in sources[kind].iterdir() if path.name not in ("manifest.json", "checkpoint"))
    refused = 0
    count = examples(60, 2000)
    for number in range(count):
        rng = random.Random(f"{kind} {number}")
        path = files[number % len(files)]
        whole = path.read_bytes()
        path.write_bytes(rng.choice([damaged(whole, rng), damaged_within(path, whole, rng)]))
        try:
            succeeded = attempt(
                sources[kind], tmp_path / "targets/target", rng.choice(["torch", "tf", "flax", "google"])
            )
        except BaseException as error:
            raise AssertionError(f"{kind} {number}: {path.name}, {type(error).__name__}: {error}") from error
        finally:
            path.write_bytes(whole)
        refused += not succeeded
    assert count * 0.3 < refused < count
    assert attempt(sources[kind], tmp_path / "targets/target", "torch")
