"""The original's heads in PyTorch against the original, and what they do besides."""

import numpy as np
import pytest
import torch
from original_heads import CASES, HeadCase

import electra.torch
from electra.config import ElectraConfig
from electra.errors import WeightsError
from electra.heads import ORIGINAL_HEADS
from electra.weights.matching import NewWeightsWarning
from electra.weights.names import canonical, tensors

TINY = dict(vocab_size=99, embedding_size=16, hidden_size=32, num_hidden_layers=2, intermediate_size=37)


def model_of(case):
    model = getattr(electra.torch, case.class_name)(case.config).eval()
    model.load_state_dict({name: torch.tensor(value) for name, value in case.state.items()})
    return model


def tensors_of(arrays):
    return {name: torch.tensor(value) for name, value in arrays.items()}


@pytest.mark.parametrize("name", CASES)
def test_answers_losses_and_gradients_equal_the_original_s(name):
    case = HeadCase(name)
    model, inputs = model_of(case), tensors_of(case.inputs)
    with torch.no_grad():
        case.check("inference", model(**inputs))
    output = model(**inputs, **tensors_of(case.targets))
    case.check("training", {key: value.detach() for key, value in output.items()})
    loss = output.loss * case.errors  # the original's is a sum
    assert loss.item() == pytest.approx(case.facts["total_loss"], rel=1e-6)
    loss.backward()
    norm = torch.stack([p.grad.double().norm() for p in model.parameters()]).norm().item()
    assert norm == pytest.approx(case.facts["gradient_norm"], rel=1e-6)


@pytest.mark.parametrize("head", ORIGINAL_HEADS, ids=lambda head: head.name)
@pytest.mark.parametrize(
    "switches",
    [{}, {"joint_prediction": False}, {"answerable_uses_start_logits": False}, {"answerable_classifier": False}],
    ids=str,
)
def test_the_table_of_tensors_is_the_state_of_every_original_head(head, switches):
    config = ElectraConfig(**TINY, **switches)
    with torch.device("meta"):
        state = getattr(electra.torch, head.class_name)(config).state_dict()
    expected = tensors(config) | tensors(config, head.tensors)
    assert {canonical(name): tuple(value.shape) for name, value in state.items()} == expected


@pytest.mark.parametrize("head", ORIGINAL_HEADS, ids=lambda head: head.name)
def test_a_saved_head_comes_back_with_its_switches(head, tmp_path):
    config = ElectraConfig(**TINY, joint_prediction=False, beam_size=3)
    model = getattr(electra.torch, head.class_name)(config).eval()
    model.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path)
    assert (again.config.joint_prediction, again.config.beam_size) == (False, 3)
    assert again.config.architectures == [head.class_name]
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])


def test_a_head_is_refused_where_the_switches_ask_for_other_layers(tmp_path):
    electra.torch.ElectraOriginalForQuestionAnswering(ElectraConfig(**TINY, joint_prediction=False)).save_pretrained(
        tmp_path
    )
    with pytest.raises(WeightsError, match=r"qa_head\.end_hidden\.weight +missing"):
        electra.torch.ElectraOriginalForQuestionAnswering.from_pretrained(tmp_path, joint_prediction=True)


def test_the_page_s_two_layers_are_no_head_of_the_original(tmp_path):
    electra.torch.ElectraForSequenceClassification(ElectraConfig(**TINY)).save_pretrained(tmp_path)
    with pytest.warns(NewWeightsWarning, match="classifier.weight"):
        electra.torch.ElectraOriginalForSequenceClassification.from_pretrained(tmp_path)


def test_only_classification_has_dropout_before_its_layer():
    config = ElectraConfig(**TINY, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, classifier_dropout=0.5)
    ids = torch.arange(12).reshape(2, 6)
    for head, expected in zip(ORIGINAL_HEADS, (True, False, False), strict=True):
        model = getattr(electra.torch, head.class_name)(config).train()
        first, second = (model(ids)[0] for _ in range(2))
        assert (not torch.equal(first, second)) == expected


def test_answers_stand_in_the_second_segment_or_at_the_first_position():
    mask = torch.tensor([[1, 1, 1, 1, 1, 0]])
    types = torch.tensor([[0, 0, 0, 1, 1, 1]])
    allowed = electra.torch.original_heads.may_answer(torch.zeros(1, 6, 4), mask, types)
    assert allowed.tolist() == [[True, False, False, True, True, False]]
    assert electra.torch.original_heads.may_answer(torch.zeros(1, 3, 4), None, None).tolist() == [[True, False, False]]


def test_a_text_shorter_than_the_beam_has_as_many_beams_as_positions():
    model = electra.torch.ElectraOriginalForQuestionAnswering(ElectraConfig(**TINY)).eval()
    ids = torch.arange(14).reshape(2, 7)
    found = model(ids, token_type_ids=(ids % 7 > 2).long())
    assert found.end_top_index.shape == (2, 7, 7)
    np.testing.assert_allclose(found.start_top_log_probs.exp().sum(-1).detach(), 1, rtol=1e-5)


def test_no_answer_is_the_start_at_cls_unless_it_is_said():
    model = electra.torch.ElectraOriginalForQuestionAnswering(ElectraConfig(**TINY)).eval()
    ids = torch.arange(14).reshape(2, 7)
    call = dict(input_ids=ids, token_type_ids=(ids % 7 > 2).long(), start_positions=torch.tensor([0, 4]))
    call["end_positions"] = torch.tensor([0, 5])
    said, unsaid = model(**call, is_impossible=torch.tensor([1, 0])).loss, model(**call).loss
    assert torch.equal(said, unsaid)
    assert not torch.equal(said, model(**call, is_impossible=torch.tensor([0, 0])).loss)
