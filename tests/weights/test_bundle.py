"""Checkpoints of TensorFlow 1 without TensorFlow: exchanged with TensorFlow itself, and damaged in every way."""

import random
import shutil

import numpy as np
import pytest
from damage import flip_bit
from nightly import examples

from electra.errors import WeightsError
from electra.weights import table
from electra.weights.bundle import Bundle, write_bundle

RANDOM = np.random.default_rng(0)
TENSORS = {
    "electra/embeddings/word_embeddings": RANDOM.standard_normal((50, 8)).astype(np.float32),
    "electra/encoder/layer_0/attention/self/query/kernel": RANDOM.standard_normal((8, 8)).astype(np.float32),
    "electra/encoder/layer_0/attention/self/query/bias": RANDOM.standard_normal(8).astype(np.float32),
    "generator_predictions/output_bias": np.zeros(50, np.float32),
    "generator_predictions/temperature": np.array(1.5, np.float32),
    "global_step": np.array(1234, np.int64),
    "half": np.array([[0.5, -2.0]], np.float16),
    "empty": np.zeros((0, 3), np.float64),
    "flags": np.array([True, False]),
}


@pytest.fixture
def prefix(tmp_path):
    write_bundle(tmp_path / "model.ckpt-7", TENSORS)
    return tmp_path / "model.ckpt-7"


def assert_equal(found, expected):
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_what_is_written_is_read(prefix):
    assert_equal(Bundle(prefix), TENSORS)


def test_tensorflow_reads_what_we_write(prefix):
    import tensorflow as tf

    assert tf.train.latest_checkpoint(str(prefix.parent)) == str(prefix)
    reader = tf.train.load_checkpoint(str(prefix))
    assert_equal({name: np.asarray(reader.get_tensor(name)) for name in reader.get_variable_to_shape_map()}, TENSORS)


@pytest.mark.parametrize("shards", [1, 3])
def test_we_read_what_tensorflow_writes_in_one_shard_and_in_several(shards, tmp_path):
    import tensorflow as tf

    names = sorted(TENSORS)
    parts = []
    for number in range(shards):
        own = names[number::shards]
        parts.append(str(tmp_path / f"part-{number}"))
        tf.raw_ops.SaveV2(
            prefix=parts[-1], tensor_names=own, shape_and_slices=[""] * len(own), tensors=[TENSORS[n] for n in own]
        )
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=str(tmp_path / "whole"))
    assert len(list(tmp_path.glob("whole.data-*"))) == shards
    assert_equal(Bundle(tmp_path / "whole"), TENSORS)


def test_many_variables_fill_several_blocks(tmp_path, monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(table, "BLOCK", 500)
    many = {f"electra/encoder/layer_{i:03d}/output/dense/bias": np.full(3, i, np.float32) for i in range(300)}
    write_bundle(tmp_path / "many", many)
    assert_equal(Bundle(tmp_path / "many"), many)
    reader = tf.train.load_checkpoint(str(tmp_path / "many"))
    assert all((reader.get_tensor(name) == array).all() for name, array in many.items())


@pytest.mark.fault(4)
def test_a_flipped_bit_of_a_tensor_is_found_when_it_is_read(prefix):
    data = prefix.parent / "model.ckpt-7.data-00000-of-00001"
    flip_bit(data, 100)
    bundle = Bundle(prefix)
    damaged = next(name for name, entry in bundle.entries.items() if entry.offset <= 100 < entry.offset + entry.size)
    with pytest.raises(WeightsError, match=f"the bytes of {damaged} do not have the checksum"):
        bundle[damaged]


@pytest.mark.fault(3)
def test_a_shard_that_is_cut_short_or_missing_is_named(prefix):
    data = prefix.parent / "model.ckpt-7.data-00000-of-00001"
    content = data.read_bytes()
    data.write_bytes(content[:-1])
    with pytest.raises(WeightsError, match=r"data-00000-of-00001 has [\d,]+ bytes, but .* ends at"):
        Bundle(prefix)
    data.unlink()
    with pytest.raises(WeightsError, match=r"data-00000-of-00001 does not exist, but model\.ckpt-7\.index names it"):
        Bundle(prefix)


def read_all(prefix):
    bundle = Bundle(prefix)
    return {name: np.array(bundle[name]) for name in bundle}


def mutate(content: bytes, rng: random.Random) -> bytes:
    """One to four bytes changed, dropped, doubled, or the end cut off."""
    out = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(out)) if out else 0
        kind = rng.choice(["flip", "set", "drop", "double", "cut"])
        if kind == "flip" and out:
            out[place] ^= 1 << rng.randrange(8)
        elif kind == "set" and out:
            out[place] = rng.choice([0, 1, 127, 128, 255])
        elif kind == "drop":
            del out[place : place + rng.randint(1, 9)]
        elif kind == "double":
            out[place:place] = out[place : place + rng.randint(1, 9)]
        else:
            del out[place:]
    return bytes(out)


def test_damaged_checkpoints_give_our_error_or_the_same_tensors(prefix, tmp_path, monkeypatch):
    """Also with the blocks' checksums right, so that what is behind them is reached."""
    index = prefix.with_name(prefix.name + ".index")
    data = prefix.with_name(prefix.name + ".data-00000-of-00001")
    whole = {index: index.read_bytes(), data: data.read_bytes()}
    refused, count = 0, examples(800, 5000)
    for number in range(count):
        rng = random.Random(number)
        if number == count // 2:
            monkeypatch.setattr(table, "_is_intact", lambda *_: True)
        path = data if number % 10 == 0 else index
        path.write_bytes(mutate(whole[path], rng))
        try:
            found = read_all(prefix)
        except WeightsError:
            refused += 1
        else:
            unchanged = {name for name in found if name in TENSORS and np.array_equal(found[name], TENSORS[name])}
            # A name or shape may be another where checksums are not looked at; numbers never are.
            assert number >= count // 2 or unchanged == set(TENSORS)
        path.write_bytes(whole[path])
    assert refused > 0.9 * count
    assert_equal(read_all(prefix), TENSORS)


def test_a_table_of_another_program_is_refused(tmp_path):
    shutil.copy(__file__, tmp_path / "x.index")
    with pytest.raises(WeightsError, match=r"x.index is damaged: the last 8 of its [\d,]+ bytes"):
        Bundle(tmp_path / "x")
    (tmp_path / "y.index").write_bytes(table.write_table({b"a": b"b"}))
    with pytest.raises(WeightsError, match="no header entry"):
        Bundle(tmp_path / "y")


@pytest.mark.parametrize(
    ("header", "entry", "where"),
    [
        pytest.param(b"\x0a\x011", b"", "its header", id="number of shards"),
        pytest.param(b"\x08\x01", b"\x08\x01\x2a\x014", "the entry of a", id="size of a tensor"),
    ],
)
def test_text_where_a_number_belongs_is_refused_though_it_looks_like_one(header, entry, where, tmp_path):
    (tmp_path / "x.index").write_bytes(table.write_table({b"": header, **({b"a": entry} if entry else {})}))
    with pytest.raises(WeightsError, match=rf"x.index is damaged: {where} holds text where a number belongs"):
        Bundle(tmp_path / "x")
