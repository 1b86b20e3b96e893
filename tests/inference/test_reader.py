"""A pretrained network in our own C answers as PyTorch's reader of the same folder does."""

import numpy as np
import pytest
from answering import SIZES, batch_of
from every_head import model_of

from electra.heads import HEADS
from electra.inference.reader import open_reader
from electra.torch.reader import Reader

ROWS = {row.name: row for row in HEADS}


@pytest.fixture(params=["pretraining", "masked_lm"])
def folder(request, tmp_path):
    model_of(ROWS[request.param], **SIZES).save_pretrained(tmp_path)
    return ROWS[request.param].class_name, tmp_path


def test_it_answers_as_pytorch_s(folder):
    ours, theirs = open_reader(*folder, device="cpu", threads=1), Reader(*folder, device="cpu", threads=1)
    assert ours is not None
    inputs = batch_of(ROWS["pretraining"])
    if folder[0] == "ElectraForPreTraining":
        real = inputs["attention_mask"] == 1
        np.testing.assert_allclose(ours.replaced(inputs)[real], theirs.replaced(inputs)[real], atol=1e-5)
        return
    positions = np.array([2, 140, 0, 30, 0, 5, 96], np.int32)
    np.testing.assert_allclose(ours.tokens(inputs, positions), theirs.tokens(inputs, positions), atol=1e-5)


def test_another_network_or_one_that_is_not_whole_is_left_to_pytorch(folder):
    class_name, place = folder
    other = {"ElectraForPreTraining": "ElectraForMaskedLM"}.get(class_name, "ElectraForPreTraining")
    assert open_reader(other, place, device="cpu", threads=1) is None
    (place / "model.safetensors").unlink()
    assert open_reader(class_name, place, device="cpu", threads=1) is None
