"""Damaged checkpoints of every kind, converted: a target that was proven, or our error and no trace of one."""

import random
import shutil

import pytest
from damage import damaged, damaged_within, limits
from nightly import examples

import electra
from electra.config import ElectraConfig
from electra.errors import ElectraError
from electra.torch import share_embeddings
from electra.weights.checkpoint import verify_manifest
from electra.weights.convert import convert
from electra.weights.sources import open_source

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


@pytest.mark.fault(3)
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
