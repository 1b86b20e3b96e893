"""Weights that a manifest.json lists are held against it before they are read, and a saving leaves nothing stale in it."""

import json
import shutil

import numpy as np
import pytest
import torch
from damage import flip_bit

from electra.config import ElectraConfig
from electra.errors import WeightsError
from electra.first_weights import first_weights
from electra.weights.checkpoint import read_manifest, write_folder_atomically, write_manifest
from electra.weights.files import INDEX, read_tensors, write_tensors
from electra.weights.folders import read_weights, save_model
from electra.weights.names import tensors
from electra.weights.sources import open_source

CONFIG = ElectraConfig(
    vocab_size=20, embedding_size=4, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
    max_position_embeddings=8, architectures=["ElectraForPreTraining"],
)  # fmt: skip
SHARDS = "400"  # bytes of one


def save(folder, formats=("safetensors",), limit="5GB", seed=0):
    save_model(folder, CONFIG, arrays(seed), limit, formats)
    return folder


def arrays(seed=0):
    return first_weights(tensors(CONFIG) | tensors(CONFIG, "pretraining"), 0.02, seed)


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.fixture
def folder(tmp_path):
    """A model folder on record, with a file of the user's."""
    save(tmp_path / "model")
    (tmp_path / "model/notes.txt").write_text("mine")
    write_manifest(tmp_path / "model", {"made_with": {"electra": "0"}})
    return tmp_path / "model"


def make(form, folder):
    """A folder with weights in a format; the files that hold them."""
    if form == "shards":
        return sorted(save(folder, limit=SHARDS).glob("model*"))
    if form == "pickle":
        CONFIG.save_pretrained(folder)
        torch.save({name: torch.from_numpy(array) for name, array in arrays().items()}, folder / "pytorch_model.bin")
        return [folder / "pytorch_model.bin"]
    save(folder, [form])
    return [next(path for path in folder.iterdir() if path.name != "config.json")]


@pytest.mark.fault(4)
@pytest.mark.parametrize("form", ["safetensors", "shards", "h5", "msgpack", "pickle"])
def test_one_flipped_bit_in_any_file_of_weights_is_refused_and_named(form, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    files = make(form, folder)
    write_manifest(folder, {})
    assert_same(read_weights(folder, allow_pickle_weights=True), arrays())
    assert len(files) > 2 or form != "shards"
    for file in files:
        whole = file.read_bytes()
        flip_bit(file, len(whole) // 2)
        with pytest.raises(WeightsError) as caught:
            read_weights(folder, allow_pickle_weights=True)
        told = str(caught.value)
        assert told.startswith(f"{file} has other content than was written (sha256 ")
        assert f"expected {read_manifest(folder)['files'][file.name]['sha256'][:12]}..." in told
        assert f"electra verify {folder} --write" in told
        assert "check_manifest=False" in told
        file.write_bytes(whole)
    assert_same(read_weights(folder, allow_pickle_weights=True), arrays())


@pytest.mark.fault(3, 4)
def test_a_file_of_another_size_is_refused_with_both(folder):
    path = folder / "model.safetensors"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(WeightsError, match=rf"model\.safetensors has {size - 3} bytes, expected {size}, says manifest"):
        read_weights(folder)


def test_a_recorded_shard_that_is_gone_is_named(tmp_path):
    folder = save(tmp_path / "model", limit=SHARDS)
    write_manifest(folder, {})
    shard = sorted(folder.glob("model-*"))[1]
    shard.unlink()
    with pytest.raises(WeightsError, match=rf"{shard} is missing, says manifest\.json"):
        read_weights(folder)


def test_unchecked_weights_are_those_in_the_file(folder):
    flip_bit(folder / "model.safetensors")
    found = read_weights(folder, check_manifest=False)
    assert_same(found, read_tensors(folder))
    assert sum(not np.array_equal(found[name], array) for name, array in arrays().items()) == 1
    with pytest.raises(WeightsError):
        open_source(folder)
    open_source(folder, check_manifest=False)


@pytest.mark.parametrize(
    "manifest",
    [
        None,
        {"name": "an app", "icons": []},
        [{"src": "icon.png"}],
        {"files": ["model.safetensors"]},
        {"files": {"model.safetensors": "sha256-of-others"}},
        {"files": {"notes.txt": {"size": 1, "sha256": "0"}}},
    ],
    ids=["none", "an app's", "icons", "a list", "other entries", "not listed"],
)
def test_without_a_record_of_the_file_it_is_read_as_it_is(tmp_path, manifest):
    folder = save(tmp_path / "model")
    for place in (folder, tmp_path):
        if manifest is not None:
            (place / "manifest.json").write_text(json.dumps(manifest))
        assert_same(read_weights(folder), arrays())
        save(folder)
        assert manifest is None or json.loads((place / "manifest.json").read_text()) == manifest


def test_a_record_that_is_no_json_is_told_and_not_passed_over(folder):
    (folder / "manifest.json").write_text('{"files": {')
    with pytest.raises(
        WeightsError, match=r"manifest\.json, line 1, column 12: not JSON.*move it away.*check_manifest"
    ):
        read_weights(folder)
    assert_same(read_weights(folder, check_manifest=False), arrays())
    (folder / "manifest.json").rename(folder / "moved.json")
    assert_same(read_weights(folder), arrays())


def test_a_record_that_is_no_json_stops_no_saving(folder):
    (folder / "manifest.json").write_text('{"files": {')
    save(folder, seed=1)
    assert_same(read_weights(folder, check_manifest=False), arrays(1))
    assert (folder / "manifest.json").read_text() == '{"files": {'


@pytest.mark.fault(4)
def test_a_network_of_a_checkpoint_is_held_against_the_manifest_around_it(tmp_path):
    with write_folder_atomically(tmp_path / "step-1") as stage:
        save(stage / "discriminator")
    folder = tmp_path / "step-1/discriminator"
    assert_same(read_weights(folder), arrays())
    flip_bit(folder / "model.safetensors")
    with pytest.raises(WeightsError, match=rf"{folder}/model\.safetensors has other content"):
        open_source(tmp_path / "step-1")


# -- saving over a record -----------------------------------------------------------------------------------------------


@pytest.mark.fault(4)
@pytest.mark.parametrize(("formats", "limit"), [(["safetensors"], "5GB"), (["safetensors"], SHARDS), (["h5"], "5GB")])
def test_a_model_that_is_saved_over_a_record_can_be_loaded_and_the_rest_stays_on_record(folder, formats, limit):
    before = read_manifest(folder)
    save(folder, formats, limit, seed=1)
    assert_same(read_weights(folder), arrays(1))
    now = read_manifest(folder)
    assert now["files"] == {"notes.txt": before["files"]["notes.txt"]}
    assert now["made_with"] == {"electra": "0"}
    save(folder, seed=2)
    assert_same(read_weights(folder), arrays(2))
    write_manifest(folder, {})
    flip_bit(folder / "model.safetensors")
    with pytest.raises(WeightsError):
        read_weights(folder)


def test_a_network_saved_inside_a_folder_on_record_no_longer_answers_to_that(tmp_path):
    with write_folder_atomically(tmp_path / "pair") as stage:
        for name in ("discriminator", "generator"):
            save(stage / name)
    save(tmp_path / "pair/generator", seed=1)
    assert_same(read_weights(tmp_path / "pair/generator"), arrays(1))
    flip_bit(tmp_path / "pair/discriminator/model.safetensors")
    with pytest.raises(WeightsError):
        read_weights(tmp_path / "pair/discriminator")


@pytest.mark.fault(1, 4)
def test_a_saving_that_was_cut_short_once_it_was_decided_is_finished_with_its_record(folder, tmp_path, monkeypatch):
    whole = shutil.copytree(folder, tmp_path / "whole")
    save(whole, seed=1)
    with monkeypatch.context() as patch:
        patch.setattr("electra.weights.folders.settle", lambda place: _killed(place, folder))
        with pytest.raises(KeyboardInterrupt):
            save(folder, seed=1)
    assert list(folder.glob(".committed-*"))
    assert_same(read_weights(folder), arrays(1))
    assert not list(folder.glob(".*"))
    assert read_manifest(folder) == read_manifest(whole)


def _killed(place, folder):
    assert place == folder
    raise KeyboardInterrupt


def test_a_low_level_change_that_was_meant_is_accepted_by_recording_it(folder):
    write_tensors(folder / "model.safetensors", arrays(1))
    with pytest.raises(WeightsError):
        read_weights(folder)
    write_manifest(folder, {})
    assert_same(read_weights(folder), arrays(1))
    assert not (folder / INDEX).exists()
