"""From framework to framework and round again: both networks of a pretraining, through real folders, bit for bit."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

import electra
from electra.config import ElectraConfig
from electra.errors import WeightsError
from electra.torch import share_embeddings
from electra.weights.convert import convert
from electra.weights.sources import open_source

SIZES = {
    "vocab_size": 50,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 37,
    "max_position_embeddings": 20,
}
WIDTHS = pytest.mark.parametrize("embedding_size", [16, 32], ids=["narrower", "as wide"])


def save_pair(folder, embedding_size, is_tied):
    """A discriminator and its generator with every number drawn anew, and their tensors."""
    torch.manual_seed(0)
    config = ElectraConfig(**SIZES, embedding_size=embedding_size, tie_word_embeddings=is_tied)
    models = {
        "discriminator": electra.ElectraForPreTraining(config),
        "generator": electra.ElectraForMaskedLM(config.generator(0.5)),
    }
    for model in models.values():
        for tensor in model.state_dict().values():
            tensor.normal_()
    share_embeddings(models["generator"], models["discriminator"])
    for name, model in models.items():
        model.save_pretrained(folder / name)
    return {name: model.state_dict() for name, model in models.items()}


def assert_same_bits(folder, networks):
    for name, expected in networks.items():
        class_name = {"discriminator": "ElectraForPreTraining", "generator": "ElectraForMaskedLM"}[name]
        found = getattr(electra, class_name).from_pretrained(folder / name).state_dict()
        assert found.keys() == expected.keys()
        for key, tensor in found.items():
            assert tensor.numpy().tobytes() == expected[key].numpy().tobytes(), f"{name} {key}"


@WIDTHS
@pytest.mark.parametrize(
    "road",
    [
        ["tf", "flax", "google", "torch"],
        ["google", "flax", "google", "tf", "torch"],
    ],
    ids="-".join,
)
def test_a_tied_pair_comes_back_from_every_framework_and_from_the_original(road, embedding_size, tmp_path):
    networks = save_pair(tmp_path / "0", embedding_size, is_tied=True)
    for step, to in enumerate(road):
        convert(open_source(tmp_path / str(step)), tmp_path / str(step + 1), to)
    assert_same_bits(tmp_path / str(len(road)), networks)
    for name in networks:
        first, last = (
            json.loads((tmp_path / step / name / "config.json").read_text()) for step in ("0", str(len(road)))
        )
        assert last == first


@WIDTHS
def test_an_untied_pair_comes_back_from_every_framework_and_the_original_has_no_place_for_it(embedding_size, tmp_path):
    networks = save_pair(tmp_path / "0", embedding_size, is_tied=False)
    for step, to in enumerate(["tf", "flax", "torch"]):
        convert(open_source(tmp_path / str(step)), tmp_path / str(step + 1), to)
        with pytest.raises(WeightsError, match="an output table of its own; Google's checkpoints have no place for it"):
            convert(open_source(tmp_path / str(step + 1)), tmp_path / "google", "google")
        assert not (tmp_path / "google").exists()
    assert_same_bits(tmp_path / "3", networks)


def test_the_command_takes_the_same_road(tmp_path):
    networks = save_pair(tmp_path / "0", 16, is_tied=True)
    road = ["tf", "flax", "google", "torch"]
    program = (
        "import sys; from electra.cli import main; [main(words.split('|')) and sys.exit(1) for words in sys.argv[1:]]"
    )
    calls = [
        "|".join(["convert", str(tmp_path / str(step)), str(tmp_path / str(step + 1)), "--to", to])
        for step, to in enumerate(road)
    ]
    done = subprocess.run([sys.executable, "-c", program, *calls], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert_same_bits(tmp_path / "4", networks)


def test_bits_that_are_equal_numbers_but_not_equal_bits_survive(tmp_path):
    """Minus zero, not-a-number with a payload, the smallest number there is."""
    model = electra.ElectraForPreTraining(ElectraConfig(**SIZES, embedding_size=16))
    odd = np.array([0x80000000, 0x7FC12345, 0x00000001, 0xFF800000], np.uint32).view(np.float32)
    model.state_dict()["electra.encoder.layer.0.output.dense.bias"][:4] = torch.from_numpy(odd)
    model.save_pretrained(tmp_path / "0")
    for step, to in enumerate(["tf", "flax", "google", "torch"]):
        convert(open_source(tmp_path / str(step)), tmp_path / str(step + 1), to)
    (network,) = open_source(tmp_path / "4" / "discriminator").networks.values()
    found = network.tensors["electra.encoder.layer.0.output.dense.bias"][:4]
    assert found.tobytes() == odd.tobytes()
