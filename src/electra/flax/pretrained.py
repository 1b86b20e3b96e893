"""What all models have besides their module: parameters, calls, folders to load from and save to."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from electra.config import ElectraConfig
from electra.errors import ConfigError, UsageError, WeightsError
from electra.first_weights import first_weights
from electra.flax.checks import check_config, check_decoding, check_inputs
from electra.flax.compiled import compiled
from electra.flax.trees import Tree, named, register_outputs, to_arrays, to_tree
from electra.weights import files, matching
from electra.weights.folders import read_weights, save_model
from electra.weights.hub import local_folder, network_of, take_hub_options
from electra.weights.names import TIED_TABLE, Shape, heads_left, tensors

register_outputs()


class FlaxElectraPreTrainedModel:
    """Base of the models: a Linen module with its parameters. Nothing is computed here.

    input_shape             kept for programs that give it; parameters do not depend on it
    seed                    of the first weights (electra.first_weights)
    dtype                   of the computation; parameters stay float32
    _do_init                False: the model keeps no parameters; every call is given its own
    gradient_checkpointing  keep each layer's input and compute the rest again for the gradient: less memory, more time
    """

    config_class = ElectraConfig
    base_model_prefix = "electra"
    main_input_name = "input_ids"
    module_class: ClassVar[Any] = None
    part = ""  # of weights/names.py that lists the head's tensors; "" for the encoder itself

    def __init__(
        self,
        config: ElectraConfig,
        input_shape: tuple[int, ...] = (1, 1),
        seed: int = 0,
        dtype: Any = jnp.float32,
        _do_init: bool = True,
        gradient_checkpointing: bool = False,
    ) -> None:
        config.validate()
        check_config(config)
        self.config, self.input_shape, self.seed, self.dtype = config, input_shape, seed, jnp.dtype(dtype)
        self.module = self.module_class(config, self.dtype, gradient_checkpointing)
        self.check_inputs = True  # whether a call looks at its inputs first; never while they are traced
        self._params: Tree | None = None
        if _do_init:
            self._params = to_tree(self._first(self.shapes()))

    # -- parameters ---------------------------------------------------------------------------------------------------

    @property
    def params(self) -> Tree:
        """The tree of parameters, with Hugging Face's names. UsageError where the model was made with _do_init=False."""
        if self._params is None:
            raise UsageError(
                "this model keeps no parameters (_do_init=False); from_pretrained and init_weights return them, and every "
                "call takes them as params="
            )
        return self._params

    @params.setter
    def params(self, params: Tree) -> None:
        held, expected = {name for name, _ in named(params)}, set(self.shapes())
        if held != expected:
            missing, unknown = sorted(expected - held), sorted(held - expected)
            raise WeightsError(f"these are not this model's parameters: missing {missing}, unknown {unknown}")
        self._params = params

    def shapes(self) -> dict[str, Shape]:
        """Our name -> shape in our layout, of every parameter."""
        config = self.config
        shapes = tensors(config) | (tensors(config, self.part) if self.part else {})
        if self.is_tied:
            del shapes[TIED_TABLE]
        prefix = "" if self.part else "electra."
        return {name.removeprefix(prefix): shape for name, shape in shapes.items()}

    @property
    def is_tied(self) -> bool:
        """Whether the model has an output table and it is the word table."""
        return self.part == "masked_lm" and self.config.tie_word_embeddings

    def init_weights(self, rng: Any, input_shape: tuple[int, ...] | None = None, params: Tree | None = None) -> Tree:
        """First weights by JAX's own random numbers, inside jit if need be; what `params` holds is kept."""
        shape = self.input_shape if input_shape is None else input_shape
        fresh: Any = self.module.init(rng, jnp.zeros(shape, jnp.int32))["params"]
        return _merged(fresh, params or {})

    def _first(self, shapes: Mapping[str, Shape]) -> files.Arrays:
        return first_weights(shapes, self.config.initializer_range, self.seed)

    def num_parameters(self, only_trainable: bool = False) -> int:
        """How many numbers the model holds, shared ones once."""
        return sum(int(np.prod(shape)) for shape in self.shapes().values())

    # -- calls --------------------------------------------------------------------------------------------------------

    def __call__(
        self,
        input_ids: Any,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        head_mask: Any = None,
        encoder_hidden_states: Any = None,
        encoder_attention_mask: Any = None,
        params: Tree | None = None,
        dropout_rng: Any = None,
        train: bool = False,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        past_key_values: Mapping[str, Any] | None = None,
    ) -> Any:
        """The module, compiled, on arrays of NumPy's or JAX's; arguments as its own, and

        params       of this call; the model's own if None
        train        with dropout, drawn from dropout_rng, a key of jax.random
        Raises InputError on ids or lengths the model cannot take; `model.check_inputs = False` leaves the checks out.
        """
        if self.check_inputs:
            of_encoder = (encoder_hidden_states, encoder_attention_mask)
            check_decoding(self.config, of_encoder, past_key_values)
            rows = [self.as_rows(x) for x in (input_ids, attention_mask, token_type_ids, position_ids)]
            check_inputs(self.config, rows[0], rows[1], rows[2], rows[3], past_key_values)
        if train and dropout_rng is None:
            raise UsageError("train=True draws dropout; give dropout_rng, such as jax.random.key(step)")
        given = (
            input_ids, attention_mask, token_type_ids, position_ids, head_mask, encoder_hidden_states,
            encoder_attention_mask,
        )  # fmt: skip
        config = self.config
        forward = compiled(
            self,
            _forward,
            bool(train),
            bool(config.output_attentions if output_attentions is None else output_attentions),
            bool(config.output_hidden_states if output_hidden_states is None else output_hidden_states),
            bool(config.use_return_dict if return_dict is None else return_dict),
        )
        arrays = tuple(None if x is None else jnp.asarray(x) for x in given)
        return forward(self.params if params is None else params, arrays, past_key_values, dropout_rng)

    def as_rows(self, x: Any) -> Any:
        """An argument in the shape the encoder gets it."""
        return x

    def init_cache(self, batch_size: int, max_length: int) -> dict[str, Any]:
        """Empty past_key_values for a decoder: room for the keys and values of `max_length` positions."""
        config = self.config
        if not config.is_decoder or max_length > config.max_position_embeddings:
            raise UsageError(
                f"a cache of {max_length} positions: the model has is_decoder {config.is_decoder}, and takes "
                f"{config.max_position_embeddings} (max_position_embeddings)"
            )
        size = config.hidden_size // config.num_attention_heads
        shapes = [(batch_size, heads_left(config, i), max_length, size) for i in range(config.num_hidden_layers)]
        layers = tuple((jnp.zeros(shape, self.dtype), jnp.zeros(shape, self.dtype)) for shape in shapes)
        return {"index": jnp.zeros((), jnp.int32), "layers": layers}

    # -- folders ------------------------------------------------------------------------------------------------------

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        dtype: Any = jnp.float32,
        *,
        config: ElectraConfig | None = None,
        seed: int = 0,
        input_shape: tuple[int, ...] = (1, 1),
        gradient_checkpointing: bool = False,
        output_loading_info: bool = False,
        ignore_mismatched_sizes: bool = False,
        allow_pickle_weights: bool = False,
        check_manifest: bool = True,
        from_pt: bool = False,  # for programs that give it: every format is read without it
        _do_init: bool = True,
        **changes: Any,
    ) -> Any:
        """The model of a folder of any framework; with _do_init=False, a model that keeps no parameters, and these.

        With output_loading_info, also what did not fit. A head that the file lacks starts at random, by `seed`, and is
        named in a NewWeightsWarning. `changes` override the config; or they are revision, cache_dir, token and the like,
        for a name on the hub.
        check_manifest    False: take the weights also where the folder's manifest.json says other sizes or sha256 sums
        Raises WeightsError, with everything that does not fit, where the tensors are not this model's; ConfigError on a
        keyword that is no setting.
        """
        folder = local_folder(source, network=network_of(cls.__name__), **take_hub_options(changes))
        if config is None:
            config = ElectraConfig.from_pretrained(folder, **changes)
        elif changes:
            ElectraConfig.check_changes(changes, config.to_dict())
            config = ElectraConfig.from_dict(config.to_dict() | changes)
        matching.check_vocabulary(folder, config.vocab_size)
        model = cls(config, input_shape, seed, _dtype(dtype, config), False, gradient_checkpointing)
        arrays = read_weights(folder, allow_pickle_weights, check_manifest)
        params, found = model._take(arrays, folder, ignore_mismatched_sizes)
        model._params = params if _do_init else None
        info = {"missing_keys": found.missing, "unexpected_keys": found.unexpected, "mismatched_keys": found.mismatched}
        answer = [model, *([] if _do_init else [params])]
        answer += [info | {"error_msgs": []}] if output_loading_info else []
        return tuple(answer) if len(answer) > 1 else model

    def _take(self, arrays: files.Arrays, folder: Path, ignore_mismatched_sizes: bool) -> tuple[Tree, matching.Match]:
        """Parameters from a file's tensors; what the file lacks starts at random."""
        expected = self.shapes() | ({TIED_TABLE: ()} if self.is_tied else {})
        found = matching.match({name: array.shape for name, array in arrays.items()}, expected, is_tied=self.is_tied)
        matching.check(found, folder, ignore_mismatched_sizes=ignore_mismatched_sizes)
        matching.check_values(arrays, folder, is_tied=self.is_tied)
        fresh = {*found.missing, *(name for name, _, _ in found.mismatched)}
        taken = {name: arrays[source] for name, source in found.sources.items()}
        return to_tree(taken | self._first({name: expected[name] for name in fresh})), found

    def save_pretrained(
        self,
        folder: str | Path,
        params: Tree | None = None,
        *,
        max_shard_size: int | str = "5GB",
        formats: Sequence[str] = ("safetensors",),
    ) -> None:
        """Write config.json and model.safetensors (in shards above max_shard_size); files of the user's stay.

        params     instead of the model's own
        formats    "h5" and "msgpack" are the files of transformers' TensorFlow and Flax classes
        Everything is on the disk before the first old file is replaced. Raises WriteError with the old files intact.
        """
        arrays = to_arrays(self.params if params is None else params)
        config = copy.deepcopy(self.config)
        config.architectures = [type(self).__name__.removeprefix("Flax")]
        first = next(iter(arrays.values())).dtype
        config.torch_dtype = "bfloat16" if first == files.BFLOAT16 else first.name
        save_model(Path(folder), config, arrays, max_shard_size, formats)


def _forward(
    module: Any,
    train: bool,
    attentions: bool,
    states: bool,
    as_dict: bool,
    params: Tree,
    arrays: Any,
    past: Any,
    key: Any,
) -> Any:
    return module.apply(
        {"params": params}, *arrays, past, deterministic=not train, output_attentions=attentions,
        output_hidden_states=states, return_dict=as_dict, rngs={"dropout": key} if train else {},
    )  # fmt: skip


def _merged(fresh: Tree, kept: Tree) -> Tree:
    return {
        key: _merged(value, kept.get(key, {})) if isinstance(value, Mapping) else kept.get(key, value)
        for key, value in fresh.items()
    }


def _dtype(asked: Any, config: ElectraConfig) -> Any:
    if asked == "auto":
        asked = config.torch_dtype or "float32"
    try:
        found = jnp.dtype(asked)
    except TypeError:
        found = None
    if found is None or not jnp.issubdtype(found, jnp.floating):
        raise ConfigError(f"dtype is {asked!r}; expected float32, float16, bfloat16, float64 or auto")
    return found
