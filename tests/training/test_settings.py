"""Settings of a run: presets, recipes, and every mistake named at once."""

import pytest

from electra.errors import ConfigError
from electra.training.settings import PRESETS, PretrainSettings, preset, read_recipe, settings_from


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_valid_and_names_its_networks(name):
    settings = preset(name)
    networks = settings.networks(vocab_size=1000, pad_token_id=0)
    assert networks["generator"].embedding_size == networks["discriminator"].embedding_size
    assert networks["discriminator"].max_position_embeddings >= settings.max_length


def test_the_defaults_are_the_papers_small_model():
    settings = PretrainSettings()
    assert (settings.steps, settings.batch_size, settings.max_length, settings.learning_rate) == (
        1_000_000,
        128,
        128,
        5e-4,
    )
    generator = settings.networks(30522, 0)["generator"]
    assert (generator.hidden_size, generator.num_attention_heads, generator.intermediate_size) == (64, 1, 256)


def test_quirks_of_the_original_are_a_named_preset_and_off_by_default():
    assert not PretrainSettings().draw_with_replacement
    assert preset("small-as-shipped").draw_with_replacement


@pytest.mark.fault(13)
def test_every_bad_value_is_named_at_once():
    with pytest.raises(ConfigError) as caught:
        PretrainSettings(steps=0, size="smal", learning_rate=-1, batch_size=10, accumulate=3)
    message = str(caught.value)
    assert "4 problems" in message or "5 problems" in message
    for part in (
        "steps is 0",
        'did you mean "small"',
        "learning_rate is -1",
        "batch_size 10 is not a multiple of accumulate 3",
    ):
        assert part in message


@pytest.mark.fault(12)
def test_an_unknown_setting_is_refused_with_its_neighbour():
    with pytest.raises(ConfigError, match=r'"learning_rat" \(did you mean "learning_rate"\?\)'):
        settings_from({"learning_rat": 1e-3}, where="here")


def test_a_recipe_starts_from_its_preset(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text('preset = "tiny"\nsteps = 7\n[model]\nhidden_size = 64\n')
    settings = read_recipe(path)
    assert (settings.size, settings.steps, settings.model["hidden_size"]) == ("tiny", 7, 64)


def test_a_recipe_with_a_word_in_place_of_a_number_is_a_clear_error(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text('steps = "many"\n')
    with pytest.raises(ConfigError, match=r"recipe\.toml.*wrong type"):
        read_recipe(path)


def test_a_recipe_whose_preset_is_no_name_is_a_clear_error(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text("preset = 1e-3\n")
    with pytest.raises(ConfigError, match=r"recipe\.toml: preset is 0\.001, expected one of tiny"):
        read_recipe(path)
