"""The three models: sizes, paths of attention, checks of inputs, first weights, sharing."""

import inspect
import math

import pytest
import torch
from torch import nn
from transformers import ElectraConfig as ReferenceConfig
from transformers import ElectraForMaskedLM as Reference

from electra.config import ElectraConfig
from electra.config_checks import ACTIVATIONS, POSITION_TYPES
from electra.errors import ConfigError, InputError
from electra.torch import (
    ElectraForMaskedLM,
    ElectraForPreTraining,
    ElectraModel,
    init_weights,
    layers,
    share_embeddings,
)

SIZES = {
    "vocab_size": 99,
    "embedding_size": 16,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 37,
    "max_position_embeddings": 40,
}


def tiny(**changes) -> ElectraConfig:
    return ElectraConfig(**(SIZES | changes))


def some_ids(rows: int = 2, length: int = 9, vocab_size: int = 99) -> torch.Tensor:
    return torch.randint(1, vocab_size, (rows, length), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("size", "count"), [("small", 13_483_008), ("base", 108_891_648), ("large", 334_092_288)])
def test_an_encoder_has_as_many_parameters_as_the_released_one(size, count):
    with torch.device("meta"):
        assert ElectraModel(ElectraConfig.of_size(size)).num_parameters() == count


def test_the_small_networks_have_as_many_parameters_as_the_original_s():
    config = ElectraConfig.small()
    with torch.device("meta"):
        discriminator, generator = ElectraForPreTraining(config), ElectraForMaskedLM(config.generator())
        share_embeddings(generator, discriminator)
    assert discriminator.num_parameters() == 13_549_057
    assert generator.num_parameters() == 4_620_026
    assert nn.ModuleList([generator, discriminator]).state_dict().keys()
    both = {id(p): p.numel() for model in (generator, discriminator) for p in model.parameters()}
    assert sum(both.values()) == 14_196_219


@pytest.mark.parametrize(
    "changes",
    [{"hidden_act": name} for name in ACTIVATIONS]
    + [{"position_embedding_type": name} for name in POSITION_TYPES]
    + [{"num_hidden_layers": 0}, {"embedding_size": 32}, {"tie_word_embeddings": False}],
    ids=str,
)
def test_logits_equal_the_reference_s(changes):
    model = ElectraForMaskedLM(tiny(**changes)).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    reference = Reference(ReferenceConfig(**(SIZES | changes))).eval()
    reference.load_state_dict(model.state_dict())
    mask = torch.ones(2, 9, dtype=torch.long)
    mask[1, 5:] = 0
    with torch.no_grad():
        expected = reference(some_ids(), attention_mask=mask).logits
        torch.testing.assert_close(model(some_ids(), attention_mask=mask).logits, expected, rtol=1e-5, atol=1e-5)


def test_forward_takes_the_arguments_of_the_documentation_page():
    common = ["input_ids", "attention_mask", "token_type_ids", "position_ids", "head_mask", "inputs_embeds"]
    decoder = ["encoder_hidden_states", "encoder_attention_mask", "past_key_values", "use_cache"]
    outputs = ["output_attentions", "output_hidden_states", "return_dict"]
    expected = {ElectraModel: decoder, ElectraForMaskedLM: ["labels"], ElectraForPreTraining: ["labels"]}
    for model, own in expected.items():
        parameters = inspect.signature(model.forward).parameters
        ours = ["first_only"] if model is ElectraModel else []
        assert list(parameters) == ["self", *common, *own, *outputs, *ours]
        assert not any(p.default for name, p in parameters.items() if name != "self")


def test_a_misspelt_argument_is_refused():
    with pytest.raises(TypeError, match="attention_masks"):
        ElectraModel(tiny())(some_ids(), attention_masks=some_ids())


@pytest.mark.parametrize("shape", [None, (2, 9), (2, 9, 9)])
def test_the_fused_path_of_attention_equals_the_explicit_one(shape, monkeypatch):
    model = ElectraModel(tiny()).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    mask = None if shape is None else torch.randint(0, 2, shape, generator=torch.Generator().manual_seed(1))
    if mask is not None:
        mask[0] = 0  # a row that may look nowhere attends evenly
    with torch.no_grad():
        explicit = model(some_ids(), attention_mask=mask)[0]
        monkeypatch.setattr(layers, "FUSED_FROM", 1)
        torch.testing.assert_close(model(some_ids(), attention_mask=mask)[0], explicit, rtol=1e-5, atol=1e-5)


@pytest.mark.fault(21)
def test_the_fused_path_stays_finite_in_bfloat16_when_a_row_is_all_padding(monkeypatch):
    monkeypatch.setattr(layers, "FUSED_FROM", 1)
    model = ElectraModel(tiny()).eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert model(some_ids(), attention_mask=torch.zeros(2, 9))[0].isfinite().all()


@pytest.mark.fault(20)
def test_an_empty_batch_gives_empty_answers():
    ids = torch.zeros(0, 7, dtype=torch.long)
    assert ElectraForMaskedLM(tiny())(ids).logits.shape == (0, 7, 99)
    assert ElectraForPreTraining(tiny())(ids, attention_mask=ids).logits.shape == (0, 7)


@pytest.mark.fault(18, 19, 20)
@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"input_ids": torch.tensor([[1, 2], [3, 99]])}, "input_ids holds 99 in row 1, position 1.*vocab_size 99"),
        ({"input_ids": torch.tensor([[1, -2]])}, "holds -2 in row 0, position 1; expected 0 to 98"),
        ({"input_ids": torch.ones(1, 3)}, "type torch.float32; expected whole numbers"),
        ({"input_ids": torch.ones(2, 41, dtype=torch.long)}, "41 positions, but the model takes 40"),
        ({"input_ids": torch.zeros(3, 0, dtype=torch.long)}, "3 rows are empty sequences"),
        ({"input_ids": torch.tensor([1, 2])}, r"shape \(2,\); expected \(rows, positions\)"),
        ({"input_ids": some_ids(), "token_type_ids": torch.full((2, 9), 2)}, "token_type_ids holds 2 in row 0"),
        ({"input_ids": some_ids(), "position_ids": torch.full((9,), 40)}, "position_ids holds 40 in position 0"),
        ({"input_ids": some_ids(), "attention_mask": torch.ones(2, 8)}, r"attention_mask has shape \(2, 8\)"),
        ({}, "got neither"),
        ({"input_ids": some_ids(), "inputs_embeds": torch.ones(2, 9, 16)}, "got both"),
        ({"input_ids": some_ids(), "past_key_values": ()}, "past_key_values are for decoders"),
    ],
)
def test_inputs_the_model_cannot_take_are_named(inputs, message):
    with pytest.raises(InputError, match=message):
        ElectraModel(tiny())(**inputs)


def test_the_checks_of_inputs_can_be_left_out():
    model = ElectraForPreTraining(tiny())
    model.check_inputs = False
    assert not model.electra.check_inputs
    with pytest.raises(IndexError, match="index out of range in self"):
        model(torch.tensor([[99]]))


def test_a_training_step_compiles_without_a_break():
    model = ElectraForMaskedLM(tiny())
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    compiled(some_ids(), attention_mask=torch.ones(2, 9), labels=some_ids(), return_dict=False)[0].backward()
    assert model.generator_predictions.dense.weight.grad is not None


def test_first_weights_are_the_original_s():
    model = ElectraForPreTraining(ElectraConfig.tiny(embedding_size=64))
    words = model.electra.embeddings.word_embeddings.weight
    assert words.abs().max() <= 0.04
    assert words.std().item() == pytest.approx(0.0176, rel=0.02)  # 0.02 before the cut at two standard deviations
    assert words[0].abs().max() > 0
    assert model.electra.embeddings_project.weight.abs().max() > 0.04
    limit = math.sqrt(6 / (128 + 1))
    assert 0.04 < model.discriminator_predictions.dense_prediction.weight.abs().max() <= limit
    assert all((p == 0).all() for name, p in model.named_parameters() if name.endswith("bias"))
    assert all((p == 1).all() for name, p in model.named_parameters() if name.endswith("LayerNorm.weight"))


def test_first_weights_follow_from_the_random_state_alone():
    models = [ElectraForMaskedLM(tiny()) for _ in range(2)]
    for model in models:
        init_weights(model, torch.Generator().manual_seed(3))
    first, second = (model.state_dict() for model in models)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_shared_embeddings_are_one_module_with_one_output_table():
    config = tiny(hidden_size=64)
    discriminator, generator = ElectraForPreTraining(config), ElectraForMaskedLM(config.generator(0.5))
    share_embeddings(generator, discriminator)
    assert generator.electra.embeddings is discriminator.electra.embeddings
    assert generator.generator_lm_head.weight is discriminator.electra.embeddings.word_embeddings.weight
    generator(some_ids()).logits.sum().backward()
    assert discriminator.electra.embeddings.LayerNorm.weight.grad is not None


def test_networks_of_two_vocabularies_share_nothing():
    with pytest.raises(ConfigError, match="vocab_size is 98 in the generator, 99 in the discriminator"):
        share_embeddings(ElectraForMaskedLM(tiny(vocab_size=98)), ElectraForPreTraining(tiny()))


def test_the_head_alone_answers_as_the_whole_model():
    model = ElectraForMaskedLM(tiny()).eval()
    hidden = model.electra(some_ids())[0]
    torch.testing.assert_close(model.mlm_logits(hidden[:, 2]), model(some_ids()).logits[:, 2])


def test_all_heads_of_a_layer_cannot_be_pruned():
    with pytest.raises(ConfigError, match="at least one"):
        ElectraModel(tiny()).prune_heads({0: [0, 1, 2, 3]})
    with pytest.raises(ConfigError, match="layers are 0 to 1, heads 0 to 3"):
        ElectraModel(tiny()).prune_heads({0: [4]})


def test_a_vocabulary_is_padded_to_a_multiple():
    model = ElectraForMaskedLM(tiny())
    assert model.resize_token_embeddings(pad_to_multiple_of=64).num_embeddings == 128
    assert model.generator_lm_head.weight is model.get_input_embeddings().weight
    assert model(some_ids()).logits.shape[-1] == 128
