"""ElectraConfig: the page's parameters, the sizes' facts, files, and mistakes that are all named at once."""

import json
import warnings

import pytest
from transformers import ElectraConfig as Reference

from electra.config import SIZES, ElectraConfig
from electra.errors import ConfigError, DataError
from electra.weights.names import tensors

# Parameters of the encoders without heads. Source: the released checkpoints.
ENCODERS = {"small": 13_483_008, "base": 108_891_648, "large": 334_092_288}


def test_every_parameter_and_default_of_the_page():
    ours, theirs = ElectraConfig(), Reference()
    page = (
        "vocab_size embedding_size hidden_size num_hidden_layers num_attention_heads intermediate_size hidden_act "
        "hidden_dropout_prob attention_probs_dropout_prob max_position_embeddings type_vocab_size initializer_range "
        "layer_norm_eps summary_type summary_use_proj summary_activation summary_last_dropout pad_token_id "
        "position_embedding_type use_cache classifier_dropout num_labels id2label label2id tie_word_embeddings"
    )
    for name in page.split():
        assert getattr(ours, name) == getattr(theirs, name), name


@pytest.mark.parametrize(("size", "count"), ENCODERS.items())
def test_the_released_sizes_have_the_released_numbers_of_parameters(size, count):
    shapes = tensors(ElectraConfig.of_size(size)).values()
    assert sum(shape[0] * (shape[1] if len(shape) > 1 else 1) for shape in shapes) == count


@pytest.mark.parametrize(
    ("size", "hidden", "heads", "intermediate"),
    [("small", 64, 1, 256), ("small++", 256, 4, 1024), ("base", 256, 4, 1024), ("large", 256, 4, 1024)],
)
def test_generators_follow_the_originals_rule(size, hidden, heads, intermediate):
    config = ElectraConfig.of_size(size)
    generator = config.generator(SIZES[size][1])
    found = (generator.hidden_size, generator.num_attention_heads, generator.intermediate_size)
    assert found == (hidden, heads, intermediate)
    assert (generator.embedding_size, generator.num_hidden_layers) == (config.embedding_size, config.num_hidden_layers)
    assert config.generator(0.25, depth=0.5).num_hidden_layers == config.num_hidden_layers // 2


def test_each_size_has_a_constructor():
    assert ElectraConfig.small_plus_plus() == ElectraConfig.of_size("small++")
    for size in ("tiny", "small", "base", "large"):
        assert getattr(ElectraConfig, size)(vocab_size=99) == ElectraConfig.of_size(size, vocab_size=99)
    with pytest.raises(ConfigError, match=r'there is no size "lage" \(did you mean "large"\?\)'):
        ElectraConfig.of_size("lage")


def test_a_configuration_survives_its_file_and_the_references(tmp_path):
    config = ElectraConfig.tiny(id2label={0: "no", 1: "yes", 2: "so"}, classifier_dropout=0.2)
    config.save_pretrained(tmp_path / "ours")
    assert ElectraConfig.from_pretrained(tmp_path / "ours") == config
    theirs = Reference.from_pretrained(tmp_path / "ours")
    assert theirs.id2label == config.id2label
    theirs.save_pretrained(tmp_path / "theirs")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = ElectraConfig.from_pretrained(tmp_path / "theirs")
    same = {key: value for key, value in config.to_dict().items() if key != "torch_dtype"}
    assert {key: again.to_dict()[key] for key in same} == same


def write(folder, values):
    (folder / "config.json").write_text(values if isinstance(values, str) else json.dumps(values))
    return folder


# -- row 12: unknown and misspelt keys ----------------------------------------------------------------------------------


@pytest.mark.fault(12)
def test_a_misspelt_key_of_a_file_is_kept_and_warned_about_with_its_neighbour(tmp_path):
    write(tmp_path, {"model_type": "electra", "hiden_size": 64})
    with pytest.warns(UserWarning, match=r'"hiden_size".*did you mean "hidden_size"'):
        config = ElectraConfig.from_pretrained(tmp_path)
    assert config.to_dict()["hiden_size"] == 64
    with pytest.raises(ConfigError, match=r'config\.json.*"hiden_size" \(did you mean "hidden_size"\?\)'):
        ElectraConfig.from_pretrained(tmp_path, strict=True)


def test_keys_other_tools_write_are_kept_in_silence(tmp_path):
    write(tmp_path, {"model_type": "electra", "transformers_version": "4.57.6", "_name_or_path": "x"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        config = ElectraConfig.from_pretrained(tmp_path, strict=True)
    assert config.to_dict()["transformers_version"] == "4.57.6"


# -- row 13: wrong types and ranges -------------------------------------------------------------------------------------


@pytest.mark.fault(13)
def test_every_wrong_value_is_named_in_one_error(tmp_path):
    wrong = {
        "vocab_size": "32", "num_hidden_layers": -1, "hidden_size": 250, "num_attention_heads": 4, "hidden_act": "gleu",
        "hidden_dropout_prob": 1.5, "pad_token_id": -2, "summary_type": "mena", "use_cache": "yes", "layer_norm_eps": 0,
    }  # fmt: skip
    write(tmp_path, wrong | {"model_type": "electra"})
    with pytest.raises(ConfigError) as caught:
        ElectraConfig.from_pretrained(tmp_path)
    message = str(caught.value)
    for part in (
        "vocab_size is '32', expected a whole number", "num_hidden_layers is -1", 'hidden_act is \'gleu\' (did you mean "gelu"?)',
        "hidden_dropout_prob is 1.5", "pad_token_id is -2", 'did you mean "mean"', "use_cache is 'yes'", "layer_norm_eps is 0",
        "hidden_size 250 is not a multiple of num_attention_heads 4",
    ):  # fmt: skip
        assert part in message, part
    assert message.count("\n  - ") == 9, message


def test_a_value_set_later_is_checked_when_a_model_is_built():
    from electra.torch import ElectraModel

    config = ElectraConfig.tiny()
    config.num_attention_heads = 3
    with pytest.raises(ConfigError, match="hidden_size 128 is not a multiple of num_attention_heads 3"):
        ElectraModel(config)


def test_labels_said_twice_and_differently_are_refused():
    with pytest.raises(ConfigError, match="num_labels is 3, but id2label names 2"):
        ElectraConfig(num_labels=3, id2label={0: "a", 1: "b"})


# -- row 17: not JSON, another model ------------------------------------------------------------------------------------


@pytest.mark.fault(17)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"hidden_size": 64,\n "vocab', r"config\.json, line 2, column 2: not JSON"),
        ("[1, 2]", r"config\.json holds a list, expected a JSON object"),
        ("", r"config\.json, line 1, column 1: not JSON"),
    ],
)
def test_a_damaged_file_is_named_with_its_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        ElectraConfig.from_pretrained(write(tmp_path, text))


@pytest.mark.fault(17)
def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "config.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(DataError, match=r"config\.json is not UTF-8 text"):
        ElectraConfig.from_pretrained(tmp_path)


@pytest.mark.fault(17)
def test_a_configuration_of_another_model_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r'config\.json describes a model of type "bert"; expected "electra"'):
        ElectraConfig.from_pretrained(write(tmp_path, {"model_type": "bert"}))
