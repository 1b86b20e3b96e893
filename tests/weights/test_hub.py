"""Where a model comes from: a folder, or the hub where that is allowed."""

import pytest

from electra.errors import DataError
from electra.weights.hub import local_folder


def test_a_folder_is_itself(tmp_path):
    assert local_folder(tmp_path) == tmp_path
    assert local_folder(str(tmp_path)) == tmp_path


@pytest.mark.parametrize("variable", ["ELECTRA_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_means_no_question_to_the_hub(monkeypatch, variable):
    monkeypatch.delenv("ELECTRA_OFFLINE", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv(variable, "1")
    with pytest.raises(DataError, match=f'"google/electra-small" is no folder here, and {variable} forbids'):
        local_folder("google/electra-small")


@pytest.mark.parametrize("source", ["./nowhere", "runs/first/discriminator", "/nowhere", "../google/electra"])
def test_a_path_never_becomes_a_name_on_the_hub(source):
    with pytest.raises(DataError, match="does not exist; expected a model folder"):
        local_folder(source)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "model.safetensors").write_text("")
    with pytest.raises(DataError, match="is a file; expected a model folder"):
        local_folder(tmp_path / "model.safetensors")
