"""Models by a name of their own: the name stands wherever a folder or a run does, and nothing is written beside them."""

import json

import numpy as np
import pytest

import electra
from electra.cli import main
from electra.errors import DataError
from electra.serving.models import open_models, read_names
from electra.training.encoder import open_encoder
from electra.weights.hub import local_folder
from electra.weights.matching import NewWeightsWarning
from electra.weights.sources import open_source

TEXT = "The old river followed the garden."
CLASSES = {"ElectraForPreTraining": "discriminator", "ElectraForMaskedLM": "generator"}


@pytest.fixture(scope="module")
def place(short_run, tmp_path_factory):
    """A folder with one model, `tiny-xx`, made as one that is shipped is."""
    folder = tmp_path_factory.mktemp("models")
    assert main(["convert", str(short_run), str(folder / "tiny-xx"), "--dtype", "bfloat16"]) == 0
    assert main(["verify", str(folder / "tiny-xx"), "--write"]) == 0
    return folder


@pytest.fixture(autouse=True)
def _named(place, monkeypatch, tmp_path):
    """Found by name, from an empty folder; afterwards every file is as it was, and none was added."""
    monkeypatch.setenv("ELECTRA_MODELS", str(place))
    monkeypatch.setenv("ELECTRA_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    before = contents(place)
    yield
    assert contents(place) == before


def contents(folder):
    return {path: (path.stat().st_mtime_ns, path.is_dir() or path.read_bytes()) for path in folder.rglob("*")}


def test_the_name_loads_both_networks_and_they_answer():
    model = electra.load("tiny-xx")
    (answer,) = model.predict([{"text": TEXT}])
    assert [word["text"] for word in answer["words"]] == ["The", "old", "river", "followed", "the", "garden", "."]
    assert len(model.suggest(TEXT, 4, 7, 3)) == 3


@pytest.mark.parametrize("prefix", ["", "TF", "Flax"])
@pytest.mark.parametrize("name", CLASSES)
def test_a_class_is_loaded_from_the_network_that_has_its_head(name, prefix, place):
    model = getattr(electra, prefix + name).from_pretrained("tiny-xx")
    assert model.config == electra.ElectraConfig.from_pretrained(place / "tiny-xx" / CLASSES[name])


def test_a_class_with_another_head_begins_with_the_discriminator(place):
    with pytest.warns(NewWeightsWarning):
        model = electra.ElectraForTokenClassification.from_pretrained("tiny-xx")
    own = electra.ElectraForPreTraining.from_pretrained(place / "tiny-xx" / "discriminator")
    assert model.electra.embeddings.word_embeddings.weight.equal(own.electra.embeddings.word_embeddings.weight)


def test_configuration_and_tokenizer_are_those_of_the_discriminator(place):
    assert electra.ElectraConfig.from_pretrained("tiny-xx") == electra.ElectraConfig.from_pretrained(
        place / "tiny-xx" / "discriminator"
    )
    for kind in (electra.AutoTokenizer, electra.ElectraTokenizer, electra.ElectraTokenizerFast):
        assert kind.from_pretrained("tiny-xx")(TEXT)["input_ids"][0] == kind.from_pretrained("tiny-xx").cls_token_id


def test_one_network_has_a_name_too(place):
    assert local_folder("tiny-xx/generator") == place / "tiny-xx" / "generator"
    assert electra.load("tiny-xx/generator").kind == "filling"


def test_commands_take_the_name(tmp_path, capsys):
    assert main(["inspect", "tiny-xx", TEXT, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == TEXT
    assert main(["verify", "tiny-xx"]) == 0
    assert capsys.readouterr().out.count("tiny-xx") == 2  # each network once
    assert main(["convert", "tiny-xx", str(tmp_path / "copy"), "--to", "flax"]) == 0
    assert (tmp_path / "copy" / "generator" / "flax_model.msgpack").is_file()


def test_the_server_and_fine_tuning_take_the_name():
    assert set(open_models(read_names(["tiny-xx"]))) == {"tiny-xx", "tiny-xx-generator"}
    notes = []
    assert open_encoder("tiny-xx", notes.append).what == "ElectraForPreTraining of tiny-xx"
    assert notes == []


def test_pretraining_goes_on_from_the_name(corpus, tmp_path):
    words = ["--init-from", "tiny-xx", "--preset", "tiny", "--max-length", "32", "--steps", "1", "--warmup-steps", "1"]
    assert main(["pretrain", str(corpus), str(tmp_path / "run"), *words, "--batch-size", "2", "--threads", "1"]) == 0


def test_a_folder_of_that_name_goes_before(short_run, tmp_path):
    (tmp_path / "tiny-xx").symlink_to(short_run)
    assert local_folder("tiny-xx").resolve() == short_run.resolve()


def test_weights_of_half_the_bytes_are_those_of_the_run_rounded(short_run, place):
    whole, halves = (open_source(folder).networks["generator"] for folder in (short_run, place / "tiny-xx"))
    for name, array in whole.stored.items():
        np.testing.assert_allclose(halves.tensors[name], array, rtol=2**-8)
    held = json.loads((place / "tiny-xx" / "generator" / "manifest.json").read_text())["tensors"]
    assert set(held) == set(whole.stored)  # a tied output table is not stored
    assert {entry["dtype"] for entry in held.values()} == {"BF16"}


@pytest.mark.parametrize("name", ["tiny-yy", "tiny-xx/encoder", "../models/tiny-xx"])
def test_other_names_are_not_found(name):
    with pytest.raises(DataError, match=r"is no folder here|does not exist"):
        local_folder(name)


def test_a_name_that_is_nearly_one_is_told_its_neighbour():
    with pytest.raises(DataError, match=r'"tinny-xx" is no folder here \(did you mean "tiny-xx"\?\)'):
        local_folder("tinny-xx")


def test_what_is_no_folder_is_answered_with_the_names_there_are():
    with pytest.raises(
        DataError, match=r"does not exist; expected a model folder.*, or the name of a model: .*tiny-xx"
    ):
        local_folder("./tiny")


def test_a_place_without_models_names_none(monkeypatch, tmp_path):
    from electra.weights import shipped

    monkeypatch.setenv("ELECTRA_MODELS", str(tmp_path / "nowhere"))
    assert "tiny-xx" not in shipped.names()
    assert shipped.shipped("tiny-xx") is None
