"""Outputs: one value, three ways to read it."""

import copy
import pickle

import pytest

from electra.outputs import ElectraForPreTrainingOutput, MaskedLMOutput

OUTPUT = ElectraForPreTrainingOutput(logits="logits", attentions=("a", "b"))


def test_a_field_reads_by_name_by_key_and_by_position():
    assert OUTPUT.logits == OUTPUT["logits"] == OUTPUT[0] == "logits"
    assert OUTPUT[1:] == (("a", "b"),)
    assert OUTPUT.to_tuple() == ("logits", ("a", "b"))


def test_a_field_not_computed_is_none_and_no_key():
    assert OUTPUT.loss is None
    assert list(OUTPUT) == ["logits", "attentions"]
    assert "loss" not in OUTPUT
    with pytest.raises(KeyError):
        OUTPUT["loss"]


def test_fields_keep_their_declared_order():
    assert list(MaskedLMOutput(logits=2, loss=1)) == ["loss", "logits"]
    assert MaskedLMOutput(1, 2).logits == 2


def test_unknown_fields_are_refused():
    with pytest.raises(TypeError, match=r"logit.*its fields are loss, logits"):
        MaskedLMOutput(logit=1)
    with pytest.raises(TypeError, match="loss"):
        MaskedLMOutput(1, loss=1)
    with pytest.raises(TypeError, match="4 fields, got 5"):
        MaskedLMOutput(1, 2, 3, 4, 5)
    with pytest.raises(AttributeError, match="no field 'logit'"):
        _ = OUTPUT.logit


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_outputs_are_copied_and_sent_to_other_processes(again):
    assert again(OUTPUT) == OUTPUT
    assert again(OUTPUT).logits == "logits"
