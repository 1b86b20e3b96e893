"""Inspecting texts: probabilities are the discriminator's, places are the text's, proposals are the generator's."""

import numpy as np
import pytest
import torch

from electra import ElectraForMaskedLM, ElectraForPreTraining
from electra.errors import InputError, WeightsError
from electra.inference.inspection import Inspector

TEXT = "The old river  painted THE kitchen\tduring the storm."


def test_probabilities_are_the_discriminators(short_run):
    inspector = Inspector(short_run)
    found = [token.replaced for token in inspector.inspect(TEXT).tokens]
    ids = torch.tensor([inspector.tokenizer(TEXT)["input_ids"]])
    logits = ElectraForPreTraining.from_pretrained(short_run / "discriminator").eval()(ids).logits[0, 1:-1]
    np.testing.assert_allclose(found, torch.sigmoid(logits).detach(), rtol=1e-5)


def test_places_are_those_of_the_text(short_run):
    tokens = Inspector(short_run).inspect(TEXT).tokens
    assert "".join(TEXT[token.start : token.end] for token in tokens) == "".join(TEXT.split())
    for token in tokens:
        assert TEXT[token.start : token.end].lower() == token.token.removeprefix("##")


def test_the_generator_proposes_for_what_passes_the_threshold_or_is_most_suspicious(short_run):
    inspector = Inspector(short_run)
    everywhere = inspector.inspect(TEXT, threshold=0.0, proposals=2).tokens
    assert all(len(token.proposals) == 2 for token in everywhere)
    most = max(range(len(everywhere)), key=lambda i: everywhere[i].replaced)
    one = inspector.inspect(TEXT, threshold=1.0).tokens
    assert [i for i, token in enumerate(one) if token.proposals] == [most]
    ids = torch.tensor([inspector.tokenizer(TEXT)["input_ids"]])
    ids[0, most + 1] = inspector.tokenizer.mask_token_id
    generator = ElectraForMaskedLM.from_pretrained(short_run / "generator").eval()
    best = torch.softmax(generator(ids).logits[0, most + 1], -1).max()
    assert one[most].proposals[0][1] == pytest.approx(best.item(), rel=1e-5)
    assert not any(token.proposals for token in inspector.inspect(TEXT, proposals=0).tokens)


def test_a_discriminator_alone_proposes_nothing(short_run):
    tokens = Inspector(short_run / "discriminator").inspect(TEXT, threshold=0.0).tokens
    assert not any(token.proposals for token in tokens)


def test_a_text_without_tokens_has_none(short_run):
    assert Inspector(short_run).inspect(" \t").tokens == ()


def test_a_text_too_long_is_an_error_with_both_lengths(short_run):
    with pytest.raises(InputError, match="602 tokens, the model reads 128"):
        Inspector(short_run).inspect("word " * 200)


def test_a_generator_is_not_taken_for_a_discriminator(short_run):
    with pytest.raises(WeightsError, match="discriminator_predictions"):
        Inspector(short_run / "generator")
