"""Whatever answers: weights that are not what their manifest.json says do not."""

import shutil

import pytest
from damage import flip_bit

import electra
from electra.errors import WeightsError
from electra.inference.session import Session
from electra.weights.checkpoint import write_manifest


@pytest.fixture
def run(short_run, tmp_path):
    """A finished run, to damage."""
    return shutil.copytree(short_run, tmp_path / "run")


@pytest.mark.fault(4)
@pytest.mark.parametrize("engine", ["float32", "plain"])
@pytest.mark.parametrize("network", ["discriminator", "generator"])
def test_a_flipped_bit_in_a_network_of_a_run_is_refused(run, network, engine):
    assert electra.load(run / network, engine=engine).predict([{"text": "the old [MASK]"}])
    flip_bit(run / network / "model.safetensors")
    for place in (run, run / network):
        with pytest.raises(WeightsError, match=rf"{network}/model\.safetensors has other content"):
            electra.load(place, engine=engine)


@pytest.mark.fault(4)
def test_a_flipped_bit_in_the_newest_checkpoint_of_a_run_under_way_is_refused(run):
    shutil.rmtree(run / "discriminator")
    assert electra.load(run, engine="float32").predict([{"text": "the old river"}])
    newest = max((run / "checkpoints").iterdir())
    flip_bit(newest / "discriminator/model.safetensors")
    with pytest.raises(WeightsError, match=rf"{newest.name}/discriminator/model\.safetensors has other content"):
        electra.load(run, engine="float32")


@pytest.mark.fault(4)
def test_a_flipped_bit_in_an_exported_model_is_refused(tmp_path):
    for name in ("model.onnx", "model.onnx.data"):
        (tmp_path / name).write_bytes(bytes(64))
    write_manifest(tmp_path, {})
    flip_bit(tmp_path / "model.onnx.data")
    with pytest.raises(WeightsError, match=r"model\.onnx\.data has other content"):
        Session(tmp_path)
    flip_bit(tmp_path / "model.onnx")
    with pytest.raises(WeightsError, match=r"model\.onnx has other content"):
        Session(tmp_path)
