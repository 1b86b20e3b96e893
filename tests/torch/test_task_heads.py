"""The heads of fine-tuning: which loss labels get, what of them is refused, and what a head keeps."""

import pytest
import torch
from every_head import answer, inputs_of, model_of

from electra import ElectraConfig, ElectraForMultipleChoice, ElectraForSequenceClassification
from electra.errors import ConfigError, InputError
from electra.heads import HEADS

HEAD = {head.name: head for head in HEADS}


def classifier(**changes):
    return model_of(HEAD["sequence_classification"], **changes)


@pytest.mark.parametrize(
    ("num_labels", "labels", "problem_type"),
    [
        (1, torch.tensor([0.5, 2.0]), "regression"),
        (1, torch.tensor([[1], [2]]), "regression"),
        (3, torch.tensor([0, 2]), "single_label_classification"),
        (3, torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0]]), "multi_label_classification"),
    ],
)
def test_labels_tell_their_problem_which_is_kept_with_the_model(num_labels, labels, problem_type, tmp_path):
    model = classifier(num_labels=num_labels)
    assert model(**inputs_of(HEAD["sequence_classification"]), labels=labels).loss.isfinite()
    model.save_pretrained(tmp_path)
    assert ElectraConfig.from_pretrained(tmp_path).problem_type == problem_type


@pytest.mark.fault(22)
@pytest.mark.parametrize(
    ("changes", "labels", "message"),
    [
        ({"num_labels": 3}, torch.tensor([0, 3]), r"labels holds 3 in position 1; expected 0 to 2"),
        ({"num_labels": 3}, torch.tensor([0, -1]), r"labels holds -1 in position 1"),
        ({"num_labels": 3}, torch.tensor([0, 1, 2]), r"labels have shape \(3,\), .* takes \(2,\) or \(2, 1\)"),
        ({"num_labels": 3}, torch.zeros(2, 2), r"multi_label_classification with num_labels 3 takes \(2, 3\)"),
        (
            {"num_labels": 2, "problem_type": "regression"},
            torch.zeros(2),
            r"regression with num_labels 2 takes \(2, 2\)",
        ),
    ],
)
def test_labels_of_another_shape_or_range_are_named(changes, labels, message):
    with pytest.raises(InputError, match=message):
        classifier(**changes)(**inputs_of(HEAD["sequence_classification"]), labels=labels)


@pytest.mark.fault(22)
def test_a_label_that_is_no_token_class_is_named_with_row_and_position():
    head = HEAD["token_classification"]
    labels = torch.zeros(2, 9, dtype=torch.int64)
    labels[1, 4] = 5
    with pytest.raises(InputError, match=r"labels holds 5 in row 1, position 4; expected 0 to 1"):
        model_of(head)(**inputs_of(head), labels=labels)


@pytest.mark.parametrize("name", ["masked_lm", "causal_lm", "token_classification"])
def test_a_label_of_minus_100_changes_nothing(name):
    head = HEAD[name]
    model, inputs = model_of(head), inputs_of(head)
    labels = inputs["input_ids"] % 2
    labels[:, 5:] = -100
    loss = model(**inputs, labels=labels).loss
    shift = int(name == "causal_lm")
    logits = model(**inputs).logits[:, : 5 - shift]
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, shift:5].flatten())
    torch.testing.assert_close(loss, expected)


def test_a_three_dimensional_mask_says_which_tokens_the_discriminator_is_asked_of():
    head = HEAD["pretraining"]
    model, inputs = model_of(head), inputs_of(head)
    mask, labels = inputs.pop("attention_mask"), inputs["input_ids"] % 2
    square = mask[:, None, :] * mask[:, :, None]
    expected = model(**inputs, attention_mask=mask, labels=labels).loss
    torch.testing.assert_close(model(**inputs, attention_mask=square, labels=labels).loss, expected)


def test_multiple_choice_without_choices_is_refused():
    model = model_of(HEAD["multiple_choice"])
    with pytest.raises(InputError, match=r"takes ids of shape \(rows, choices, positions\), .* got shape \(2, 9\)"):
        model(torch.ones(2, 9, dtype=torch.int64))
    with pytest.raises(InputError, match=r"labels holds 3 in position 0; expected 0 to 2"):
        model(**inputs_of(HEAD["multiple_choice"]), labels=torch.tensor([3, 0]))


def test_the_summary_may_be_as_wide_as_the_labels():
    model = model_of(HEAD["multiple_choice"], summary_proj_to_labels=True, num_labels=5)
    assert model.classifier.weight.shape == (1, 5)
    assert answer(model, inputs_of(HEAD["multiple_choice"])).shape == (2, 3)


def test_question_answering_with_another_number_of_labels_says_what_to_do():
    head = HEAD["question_answering"]
    with pytest.raises(ConfigError, match=r"num_labels is 3 .* load it with num_labels=2"):
        model_of(head, num_labels=3)(**inputs_of(head))


def test_one_position_alone_gives_no_loss():
    head = HEAD["question_answering"]
    assert model_of(head)(**inputs_of(head), start_positions=torch.tensor([1, 2])).loss is None


@pytest.mark.parametrize("model_class", [ElectraForSequenceClassification, ElectraForMultipleChoice])
def test_a_keyword_that_is_no_argument_is_refused(model_class, tmp_path):
    model = model_class(ElectraConfig(vocab_size=99, embedding_size=16, hidden_size=32, num_hidden_layers=1))
    with pytest.raises(TypeError, match="atention_mask"):
        model(torch.ones(1, 2, 3, dtype=torch.int64), atention_mask=None)
    model.save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r'num_lables \(did you mean "num_labels"\?\)'):
        model_class.from_pretrained(tmp_path, num_lables=3)
    with pytest.raises(ConfigError, match=r'num_lables \(did you mean "num_labels"\?\)'):
        model_class.from_pretrained(tmp_path, config=model.config, num_lables=3)


def test_dropout_of_the_classifier_is_its_own_or_the_encoder_s():
    assert classifier(hidden_dropout_prob=0.3).classifier.dropout.p == 0.3
    assert classifier(hidden_dropout_prob=0.3, classifier_dropout=0.0).classifier.dropout.p == 0.0


@pytest.mark.parametrize("size", [120, 60])
@pytest.mark.parametrize("tied", [True, False])
def test_an_optimizer_goes_on_with_the_resized_tables(size, tied):
    """The next update of the rows that stay is the one it would have been; what it remembers of new rows is nothing."""
    head, inputs = HEAD["masked_lm"], inputs_of(HEAD["masked_lm"])
    inputs["input_ids"] = inputs["input_ids"] % 50 + 1
    models = [model_of(head, tie_word_embeddings=tied) for _ in range(2)]
    optimizers = [torch.optim.AdamW(model.parameters(), lr=1e-2) for model in models]

    def update(model, optimizer):
        loss = model.mlm_logits(model.electra(**inputs)[0])[..., :50].square().mean()  # new rows have no part in it
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    for model, optimizer in zip(models, optimizers, strict=True):
        update(model, optimizer)
    models[0].resize_token_embeddings(size, optimizer=optimizers[0])
    for model, optimizer in zip(models, optimizers, strict=True):
        update(model, optimizer)
    held = {parameter for group in optimizers[0].param_groups for parameter in group["params"]}
    assert held == set(models[0].parameters())
    for (name, found), (_, expected) in zip(models[0].named_parameters(), models[1].named_parameters(), strict=True):
        rows = slice(0, 50) if len(found) == size else slice(None)
        torch.testing.assert_close(found[rows], expected[rows], rtol=0, atol=1e-7, msg=name)
    table = models[0].get_input_embeddings().weight
    assert optimizers[0].state[table]["exp_avg"].shape == table.shape
