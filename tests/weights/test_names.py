"""The table of tensors against the models, and against facts of the reference's checkpoints."""

import pytest
import torch

import electra.torch
from electra.config import ElectraConfig
from electra.heads import HEADS
from electra.weights.names import MODULES, canonical, head_of, is_glorot, tensors

TINY = {"vocab_size": 99, "embedding_size": 16, "hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 37}
CONFIGS = [
    ElectraConfig(**TINY),
    ElectraConfig(**(TINY | {"embedding_size": 32})),
    ElectraConfig(**TINY, position_embedding_type="relative_key"),
    ElectraConfig(**TINY, tie_word_embeddings=False, num_labels=3),
]


@pytest.mark.parametrize("config", CONFIGS, ids=["projected", "equal", "relative", "untied"])
@pytest.mark.parametrize("head", [head for head in HEADS if "torch" in head.frameworks], ids=lambda head: head.name)
def test_the_table_is_the_state_of_every_model(head, config):
    config = ElectraConfig.from_dict(config.to_dict() | {"is_decoder": head.name == "causal_lm"})
    with torch.device("meta"):
        state = getattr(electra.torch, head.class_name)(config).state_dict()
    expected = tensors(config) | (tensors(config, head.tensors) if head.name != "encoder" else {})
    assert {canonical(name): tuple(value.shape) for name, value in state.items()} == expected


def test_a_small_checkpoint_has_as_many_tensors_as_the_original_s():
    config = ElectraConfig.small()
    generator_without_tables = len(tensors(config)) - 5
    heads = len(tensors(config, "pretraining")) + len(tensors(config, "masked_lm")) - 1  # the output table is tied
    assert len(tensors(config)) + generator_without_tables + heads == 402


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("sequence_classification", {"classifier.dense.weight": (32, 32), "classifier.out_proj.bias": (3,)}),
        ("token_classification", {"classifier.weight": (3, 32), "classifier.bias": (3,)}),
        ("question_answering", {"qa_outputs.weight": (3, 32), "qa_outputs.bias": (3,)}),
        ("multiple_choice", {"sequence_summary.summary.weight": (32, 32), "classifier.weight": (1, 32)}),
    ],
)
def test_the_heads_of_tasks_have_their_tensors(part, expected):
    assert expected.items() <= tensors(CONFIGS[3], part).items()


def test_each_row_is_there_once():
    assert len({(module.name, module.part) for module in MODULES}) == len(MODULES)


def test_a_tensor_knows_its_head():
    assert head_of("classifier.out_proj.weight") == "classifier"
    assert head_of("sequence_summary.summary.bias") == "sequence_summary"
    assert head_of("electra.embeddings_project.weight") is None
    assert head_of("classifier.unheard_of.weight") is None


def test_names_with_and_without_the_prefix_are_one():
    assert canonical("encoder.layer.0.output.dense.bias") == "electra.encoder.layer.0.output.dense.bias"
    assert canonical("electra.embeddings.word_embeddings.weight") == "electra.embeddings.word_embeddings.weight"
    assert is_glorot("embeddings_project")
    assert not is_glorot("discriminator_predictions.dense")
