"""Folders: from and to PyTorch bit for bit, the old formats, and transformers 4's Flax classes both ways."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from every_head import inputs_of, model_of
from twins import arrays, close, twin_of

import electra.flax
import electra.torch
from electra import ElectraConfig
from electra.errors import ConfigError, UsageError, WeightsError
from electra.flax import FlaxElectraForMaskedLM, FlaxElectraForSequenceClassification, FlaxElectraModel
from electra.flax.trees import leaves, named, to_arrays
from electra.heads import HEADS
from electra.weights.matching import NewWeightsWarning

TINY = dict(
    vocab_size=20, embedding_size=8, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24
)


def flax_class(head):
    return getattr(electra.flax, head.class_in("flax"))


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_pytorch_s_folder_is_read_and_written_back_bit_for_bit(head, tmp_path):
    model = model_of(head, tie_word_embeddings=head.name != "causal_lm")
    model.save_pretrained(tmp_path / "torch")
    twin = flax_class(head).from_pretrained(tmp_path / "torch")
    twin.save_pretrained(tmp_path / "flax")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "torch" / name).read_bytes() == (tmp_path / "flax" / name).read_bytes()
    back = type(model).from_pretrained(tmp_path / "flax")
    assert all(torch.equal(value, back.state_dict()[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("form", ["h5", "msgpack"])
def test_the_old_formats_keep_every_bit(form, tmp_path):
    model = FlaxElectraForMaskedLM(ElectraConfig(**TINY), seed=3)
    model.save_pretrained(tmp_path, formats=(form,))
    assert not list(tmp_path.glob("*.safetensors"))
    jax.tree.map(np.testing.assert_array_equal, FlaxElectraForMaskedLM.from_pretrained(tmp_path).params, model.params)


def reference_of(head):
    import transformers.models.electra.modeling_flax_electra as reference

    return getattr(reference, head.class_in("flax"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # transformers 4's, with this JAX
@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_transformers_4_in_flax_reads_our_folder_and_we_read_its(head, tmp_path):
    ours = twin_of(model_of(head, num_hidden_layers=1))
    ours.save_pretrained(tmp_path / "ours", formats=("msgpack",))
    theirs = reference_of(head).from_pretrained(tmp_path / "ours")
    held = dict(leaves(ours.params))
    assert dict(leaves(theirs.params)).keys() == held.keys()
    for path, leaf in leaves(theirs.params):
        np.testing.assert_array_equal(leaf, held[path], err_msg=str(path))
    theirs.save_pretrained(tmp_path / "theirs")
    back = type(ours).from_pretrained(tmp_path / "theirs")
    jax.tree.map(np.testing.assert_array_equal, back.params, ours.params)


def test_the_reference_answers_alike_where_it_is_given_the_token_types(tmp_path):
    head = HEADS[0]
    model, inputs = model_of(head, num_hidden_layers=1, initializer_range=0.2), arrays(inputs_of(head))
    inputs["token_type_ids"] = np.zeros_like(inputs["input_ids"])
    model.save_pretrained(tmp_path, formats=("msgpack",))
    theirs = reference_of(head).from_pretrained(tmp_path)(**inputs)[0]
    np.testing.assert_allclose(FlaxElectraModel.from_pretrained(tmp_path)(**inputs)[0], theirs, atol=1e-5)


def test_a_pruned_model_of_pytorch_s_answers_alike(tmp_path):
    model, inputs = model_of(HEADS[0], initializer_range=0.2), inputs_of(HEADS[0])
    model.prune_heads({0: [1, 2], 1: [0]})
    model.save_pretrained(tmp_path)
    close(FlaxElectraModel.from_pretrained(tmp_path)(**arrays(inputs))[0], model(**inputs)[0])


def test_without_do_init_the_parameters_are_returned_and_not_kept(tmp_path):
    FlaxElectraModel(ElectraConfig(**TINY), seed=1).save_pretrained(tmp_path)
    model, params = FlaxElectraModel.from_pretrained(tmp_path, _do_init=False)
    with pytest.raises(UsageError, match="keeps no parameters"):
        model(np.array([[1, 2]]))
    whole = FlaxElectraModel.from_pretrained(tmp_path)
    np.testing.assert_array_equal(model(np.array([[1, 2]]), params=params)[0], whole(np.array([[1, 2]]))[0])
    fresh = jax.eval_shape(model.init_weights, jax.random.key(0))
    assert jax.tree.structure(fresh) == jax.tree.structure(params)
    made = model.init_weights(jax.random.key(0), params={"embeddings": params["embeddings"]})
    assert made["embeddings"]["word_embeddings"] is params["embeddings"]["word_embeddings"] or np.array_equal(
        made["embeddings"]["word_embeddings"]["embedding"], params["embeddings"]["word_embeddings"]["embedding"]
    )
    assert {name: leaf.shape for name, leaf in named(made)} == {name: leaf.shape for name, leaf in named(params)}


def test_first_weights_are_the_seed_s_and_a_new_head_is_announced(tmp_path):
    config = ElectraConfig(**TINY)
    one, two, other = (to_arrays(FlaxElectraModel(config, seed=seed).params) for seed in (1, 1, 2))
    name = "embeddings.word_embeddings.weight"
    assert (one[name] == two[name]).all()
    assert (one[name] != other[name]).any()
    FlaxElectraModel(config).save_pretrained(tmp_path)
    with pytest.warns(NewWeightsWarning, match=r"classifier\.dense\.weight"):
        model, info = FlaxElectraForSequenceClassification.from_pretrained(
            tmp_path, num_labels=3, output_loading_info=True, from_pt=True
        )
    assert len(info["missing_keys"]) == 4
    assert model(np.array([[1, 2]])).logits.shape == (1, 3)


def test_dtype_is_of_the_computation_and_parameters_may_be_saved_in_halves(tmp_path):
    model = FlaxElectraModel(ElectraConfig(**TINY), dtype=jnp.bfloat16)
    assert model(np.array([[1, 2]]))[0].dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(model.params)} == {jnp.dtype("float32")}
    halves = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), model.params)
    model.save_pretrained(tmp_path, params=halves)
    assert json.loads((tmp_path / "config.json").read_text())["torch_dtype"] == "bfloat16"
    again = FlaxElectraModel.from_pretrained(tmp_path, dtype="auto")
    assert again.dtype == jnp.bfloat16
    jax.tree.map(lambda one, half: np.testing.assert_array_equal(one, half.astype(jnp.float32)), again.params, halves)
    with pytest.raises(ConfigError, match="dtype is 'int8'"):
        FlaxElectraModel.from_pretrained(tmp_path, dtype="int8")


def test_what_does_not_fit_is_refused_and_named(tmp_path):
    model = FlaxElectraModel(ElectraConfig(**TINY))
    model.save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match=r"another vocabulary"):
        FlaxElectraModel.from_pretrained(tmp_path, vocab_size=21)
    with pytest.raises(WeightsError, match=r"missing \['embeddings\.LayerNorm\.bias'"):
        model.params = {"encoder": model.params["encoder"]}
