"""What JAX's users do with a model: jit, grad, vmap, dropout, checkpointing, sharding; and the Linen modules alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from virtual_devices import run_on_virtual_devices

from electra import ElectraConfig
from electra.errors import ConfigError, InputError, UsageError
from electra.flax import (
    FlaxElectraForMaskedLM,
    FlaxElectraForMultipleChoice,
    FlaxElectraForPreTraining,
    FlaxElectraForPreTrainingModule,
    FlaxElectraForQuestionAnswering,
    FlaxElectraForSequenceClassification,
    FlaxElectraModel,
    share_embeddings,
)

TINY = dict(
    vocab_size=20, embedding_size=8, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24
)
IDS = np.array([[2, 5, 6, 3], [2, 7, 3, 0]])


def mean_of(model, **options):
    return lambda params, ids: model(ids, params=params, **options).logits.mean()


def test_the_linen_module_on_its_own_has_the_model_s_parameters_and_answers():
    config = ElectraConfig(**TINY)
    module, model = FlaxElectraForPreTrainingModule(config), FlaxElectraForPreTraining(config)
    params = module.init(jax.random.key(0), IDS)["params"]
    shapes = jax.tree.map(jnp.shape, params)
    assert shapes == jax.tree.map(jnp.shape, model.params)
    alone = module.apply({"params": params}, IDS).logits
    np.testing.assert_allclose(alone, model(IDS, params=params).logits, atol=1e-6)  # the model's is compiled
    spread = np.std(params["electra"]["encoder"]["layer"]["0"]["attention"]["self"]["query"]["kernel"])
    assert spread == pytest.approx(0.88 * config.initializer_range, rel=0.1)  # of a normal cut at two deviations


def test_gradients_of_each_row_by_vmap_add_up_to_the_batch_s():
    model = FlaxElectraForPreTraining(ElectraConfig(**TINY))
    one = jax.grad(lambda params, ids: mean_of(model)(params, ids[None]))
    of_rows = jax.jit(jax.vmap(one, in_axes=(None, 0)))(model.params, jnp.asarray(IDS))
    whole = jax.jit(jax.grad(mean_of(model)))(model.params, IDS)
    jax.tree.map(lambda rows, all_: np.testing.assert_allclose(rows.mean(0), all_, atol=1e-6), of_rows, whole)


def test_outputs_are_trees_of_their_arrays():
    output = FlaxElectraModel(ElectraConfig(**TINY))(IDS, output_hidden_states=True)
    shapes = jax.tree.map(jnp.shape, output)
    assert type(shapes) is type(output)
    assert list(shapes) == ["last_hidden_state", "hidden_states"]
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(output)]
    assert paths[0] == "['last_hidden_state']"


def test_dropout_is_of_training_and_of_its_key():
    model = FlaxElectraForSequenceClassification(ElectraConfig(**TINY))
    one, again, other = (model(IDS, train=True, dropout_rng=jax.random.PRNGKey(k)).logits for k in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    np.testing.assert_array_equal(model(IDS).logits, model(IDS, dropout_rng=jax.random.key(1)).logits)
    with pytest.raises(UsageError, match="give dropout_rng"):
        model(IDS, train=True)


def test_checkpointing_gives_the_same_gradients_dropout_included():
    config, options = ElectraConfig(**TINY), dict(train=True, dropout_rng=jax.random.key(0))
    plain, saving = (FlaxElectraForPreTraining(config, gradient_checkpointing=kept) for kept in (False, True))
    one, two = (jax.jit(jax.grad(mean_of(model, **options)))(plain.params, IDS) for model in (plain, saving))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), one, two)
    programs = [str(jax.make_jaxpr(jax.grad(mean_of(m, **options)))(plain.params, IDS)) for m in (plain, saving)]
    assert [program.count("remat") + program.count("checkpoint[") > 0 for program in programs] == [False, True]


SHARDED = """
import jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from electra import ElectraConfig
from electra.flax import FlaxElectraForMaskedLM
assert len(jax.devices()) == 4
model = FlaxElectraForMaskedLM(ElectraConfig(
    vocab_size=20, embedding_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24))
ids = np.arange(16).reshape(4, 4)
mesh = Mesh(np.array(jax.devices()).reshape(2, 2), ("rows", "width"))
def place(leaf):
    axes = [None] * (leaf.ndim - 1) + ["width" if leaf.shape[-1] % 2 == 0 else None]
    return jax.device_put(leaf, NamedSharding(mesh, PartitionSpec(*axes)))
params = jax.tree.map(place, model.params)
batch = jax.device_put(ids, NamedSharding(mesh, PartitionSpec("rows")))
whole = model(ids).logits
for logits in (model(batch, params=params).logits, jax.jit(lambda p, b: model(b, params=p).logits)(params, batch)):
    assert len(logits.sharding.device_set) == 4
    np.testing.assert_allclose(logits, whole, atol=1e-5)
print(params["electra"]["encoder"]["layer"]["0"]["intermediate"]["dense"]["kernel"].addressable_shards[0].data.shape)
"""


def test_parameters_and_batch_sharded_over_a_mesh_of_four_give_the_same_logits():
    assert run_on_virtual_devices(4, SHARDED) == "(16, 12)\n"


def test_the_generator_takes_the_discriminator_s_embeddings():
    config = ElectraConfig(**TINY)
    discriminator, generator = FlaxElectraForPreTraining(config, seed=1), FlaxElectraForMaskedLM(config, seed=2)
    share_embeddings(generator, discriminator)
    words = generator.params["electra"]["embeddings"]["word_embeddings"]["embedding"]
    assert words is discriminator.params["electra"]["embeddings"]["word_embeddings"]["embedding"]
    with pytest.raises(ConfigError, match="vocab_size is 20 in the generator, 21"):
        share_embeddings(generator, FlaxElectraForPreTraining(ElectraConfig(**TINY | {"vocab_size": 21})))


def test_bad_inputs_are_refused_with_their_place():
    model = FlaxElectraModel(ElectraConfig(**TINY, max_position_embeddings=6))
    for match, call in {
        r"input_ids holds 20 in row 1, position 0; expected 0 to 19": dict(input_ids=[[1, 2], [20, 1]]),
        r"token_type_ids holds -1 in row 0, position 1": dict(input_ids=[[1, 2]], token_type_ids=[[0, -1]]),
        r"has 7 positions, but the model takes 6": dict(input_ids=np.ones((1, 7), int)),
        r"has type float64; expected whole numbers": dict(input_ids=[[1.0, 2.0]]),
        r"has shape \(2,\); expected \(rows, positions\)": dict(input_ids=[1, 2]),
        r"1 rows are empty": dict(input_ids=np.zeros((1, 0), int)),
        r"attention_mask has shape \(1, 3\); expected \(1, 2\) or \(1, 2, 2\)": dict(
            input_ids=[[1, 2]], attention_mask=[[1, 1, 1]]
        ),
    }.items():
        with pytest.raises(InputError, match=match):
            model(**call)
    chunked = FlaxElectraModel(ElectraConfig(**TINY, chunk_size_feed_forward=3))
    with pytest.raises(InputError, match="not a multiple of chunk_size_feed_forward 3"):
        chunked([[1, 2]])
    with pytest.raises(InputError, match=r"rows, choices, positions\); got shape \(2, 4\)"):
        FlaxElectraForMultipleChoice(ElectraConfig(**TINY))(IDS)
    with pytest.raises(ConfigError, match="num_labels is 3"):
        FlaxElectraForQuestionAnswering(ElectraConfig(**TINY, num_labels=3))(IDS)
