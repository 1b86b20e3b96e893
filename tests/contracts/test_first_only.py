"""Heads that read [CLS] alone: the last layer leaves out the other positions, and the answers are those of the whole."""

import numpy as np
import pytest
import torch

import electra
from electra import ElectraConfig
from electra.heads import PREFIXES

SIZES = dict(
    vocab_size=50, embedding_size=8, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
    max_position_embeddings=16, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
)  # fmt: skip
HEADS = ("SequenceClassification", "OriginalForSequenceClassification", "MultipleChoice")
KINDS = {
    "plain": {},
    "relative": {"position_embedding_type": "relative_key"},
    "chunks": {"chunk_size_feed_forward": 3},
    "mean": {"summary_type": "mean"},
}


def inputs_of(head):
    ids = np.arange(1, 13, dtype=np.int32).reshape(2, 6)
    mask = np.array([[1] * 6, [1] * 4 + [0] * 2], np.int32)
    if head == "MultipleChoice":
        return ids[:, None] + np.arange(3, dtype=np.int32)[:, None], mask[:, None].repeat(3, 1)
    return ids, mask


@pytest.mark.parametrize("framework", PREFIXES)
@pytest.mark.parametrize("head", HEADS)
def test_answers_are_those_of_the_whole_last_layer(framework, head):
    name = f"{PREFIXES[framework]}Electra{head if head.startswith('Original') else f'For{head}'}"
    owner = __import__(f"electra.{framework}", fromlist=[name]) if head.startswith("Original") else electra
    # What decides is the same in all three; building a model in TensorFlow and Flax takes a second.
    kinds = KINDS if framework == "torch" else ("plain", "mean") if head == "MultipleChoice" else ("plain",)
    for change in (KINDS[kind] for kind in kinds):
        ids, mask = inputs_of(head)
        if framework == "torch":
            torch.manual_seed(0)
        model = getattr(owner, name)(ElectraConfig(**SIZES | change))
        if framework == "torch":
            model, ids, mask = model.eval(), torch.from_numpy(ids), torch.from_numpy(mask)
        whole = model(ids, attention_mask=mask, output_hidden_states=True)
        part = model(ids, attention_mask=mask)
        assert part.hidden_states is None
        assert whole.hidden_states[-1].shape[1] == 6
        one, other = (np.asarray(x.detach() if framework == "torch" else x) for x in (whole.logits, part.logits))
        np.testing.assert_allclose(other, one, atol=1e-6)


def test_one_position_leaves_the_last_layer_with_the_gradients_of_the_whole():
    torch.manual_seed(0)
    for change, length in (
        ({}, 1),
        ({"position_embedding_type": "relative_key"}, 6),
        ({"chunk_size_feed_forward": 3}, 6),
    ):
        model = electra.ElectraForSequenceClassification(ElectraConfig(**SIZES | change)).eval()
        shapes = []
        model.electra.encoder.layer[-1].register_forward_hook(
            lambda _, __, out, shapes=shapes: shapes.append(out[0].shape)
        )
        ids, mask = (torch.from_numpy(x) for x in inputs_of("SequenceClassification"))
        gradients = []
        for states in (True, False):
            model.zero_grad()
            model(ids, attention_mask=mask, labels=torch.tensor([0, 1]), output_hidden_states=states).loss.backward()
            gradients.append({n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None})
        assert [shape[1] for shape in shapes] == [6, length]
        assert gradients[0].keys() == gradients[1].keys()
        for name, gradient in gradients[0].items():
            torch.testing.assert_close(gradients[1][name], gradient, atol=1e-6, rtol=1e-4, msg=name)
