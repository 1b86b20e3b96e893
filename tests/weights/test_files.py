"""Weight files: what is written is read, by us and by others; what is damaged is named."""

import json

import numpy as np
import pytest
import safetensors.numpy

from electra.errors import WeightsError, WriteError
from electra.weights.files import BFLOAT16, INDEX, read_tensors, write_tensors

TENSORS = {
    "wide": np.arange(6, dtype=np.float32).reshape(2, 3),
    "whole": np.array([1, -2], dtype=np.int64),
    "half": np.array([[0.5]], dtype=np.float16),
    "flags": np.array([True, False, True]),
    "empty": np.zeros((0, 4), dtype=np.float32),
    "scalar": np.array(3.0, dtype=np.float64),
}


@pytest.fixture
def path(tmp_path):
    write_tensors(tmp_path / "model.safetensors", TENSORS, {"format": "pt"})
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("read", [read_tensors, safetensors.numpy.load_file])
def test_tensors_come_back_as_they_went(path, read):
    found = read(path)
    assert found.keys() == TENSORS.keys()
    for name, array in TENSORS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_a_folder_is_read_by_its_usual_file(path):
    np.testing.assert_array_equal(read_tensors(path.parent)["wide"], TENSORS["wide"])


def test_the_metadata_is_written(path):
    with safetensors.safe_open(path, "np") as file:
        assert file.metadata() == {"format": "pt"}


def test_bfloat16_is_widened_without_loss(tmp_path):
    values = np.array([1.0, -2.5, 3.0e38, 1e-30], dtype=np.float32)
    bits = (values.view(np.uint32) >> 16).astype(np.uint16)
    write_tensors(tmp_path / "b.safetensors", {"b": bits.view(BFLOAT16)})
    found = read_tensors(tmp_path / "b.safetensors")["b"]
    np.testing.assert_array_equal(found.view(np.uint32), bits.astype(np.uint32) << 16)


def test_what_is_read_can_be_changed_without_changing_the_file(path):
    read_tensors(path)["wide"][:] = 0
    np.testing.assert_array_equal(read_tensors(path)["wide"], TENSORS["wide"])


@pytest.mark.fault(3)
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:20],
        lambda content: (1 << 40).to_bytes(8, "little") + content[8:],
        lambda content: content[:8] + b"x" * (len(content) - 8),
    ],
    ids=["empty", "one byte short", "cut in the header", "huge header", "no JSON"],
)
def test_a_damaged_file_is_named(path, damage):
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(WeightsError, match=rf"{path} \(\d+ bytes\) is not a whole safetensors file.*download it again"):
        read_tensors(path)


def shards(folder, places):
    write_tensors(folder / "model-1.safetensors", {"a": TENSORS["wide"]})
    (folder / INDEX).write_text(json.dumps({"weight_map": places}))


@pytest.mark.fault(15)
def test_a_shard_that_is_missing_is_named(tmp_path):
    shards(tmp_path, {"a": "model-1.safetensors", "b": "model-2.safetensors"})
    with pytest.raises(WeightsError, match=r"model-2.safetensors does not exist"):
        read_tensors(tmp_path)


def test_a_tensor_the_shards_do_not_hold_is_named(tmp_path):
    shards(tmp_path, {"a": "model-1.safetensors", "b": "model-1.safetensors"})
    with pytest.raises(WeightsError, match=r"b \(in model-1.safetensors\)"):
        read_tensors(tmp_path)


@pytest.mark.parametrize("place", ["../secret.safetensors", "/etc/passwd", 3])
def test_an_index_that_points_outside_its_folder_is_refused(tmp_path, place):
    shards(tmp_path, {"a": place})
    with pytest.raises(WeightsError, match="a file in the same folder"):
        read_tensors(tmp_path)


def test_an_index_without_a_map_is_refused(tmp_path):
    shards(tmp_path, {})
    with pytest.raises(WeightsError, match='no "weight_map"'):
        read_tensors(tmp_path)


def test_a_type_the_format_lacks_is_refused_and_the_old_file_stays(path):
    before = path.read_bytes()
    with pytest.raises(WeightsError, match="complex128"):
        write_tensors(path, {"c": np.zeros(2, dtype=np.complex128)})
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_folder_that_does_not_exist_cannot_be_written_to(tmp_path):
    with pytest.raises(WriteError, match="what was there before is untouched"):
        write_tensors(tmp_path / "nowhere" / "model.safetensors", TENSORS)
