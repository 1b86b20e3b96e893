"""What all models have besides call: folders to load from and save to, embeddings, pruning."""

import copy
import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from electra.config import ElectraConfig
from electra.errors import ConfigError
from electra.tf import surgery
from electra.tf.fitting import Fitting
from electra.tf.forms import by_name
from electra.tf.initial import fill, init_weights
from electra.tf.modules import Container, Embedding, OutputTable, dropout_seeded_by, named_weights, replace_layer
from electra.tf.trees import register_outputs
from electra.weights import files, matching
from electra.weights.folders import read_weights, save_model
from electra.weights.hub import local_folder, network_of, take_hub_options
from electra.weights.names import TIED_TABLE
from electra.weights.translation import transposed, turned_shapes

Tensor = Any  # tf.Tensor; TensorFlow has no types for mypy
_is_loading: ContextVar[bool] = ContextVar("is_loading", default=False)

register_outputs()


class TFElectraPreTrainedModel(Fitting, Container, keras.Model):
    """Base of the models: nothing is computed here."""

    config_class = ElectraConfig
    base_model_prefix = "electra"
    main_input_name = "input_ids"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.argument_names = tuple(inspect.signature(cls.call).parameters)[1:]  # what a call takes, in order
        keras.utils.register_keras_serializable(package="electra")(cls)

    def __init__(self, config: ElectraConfig, **kwargs: Any) -> None:
        """kwargs are Keras' own, such as name."""
        super().__init__(autocast=False, **kwargs)
        config.validate()
        self.config = config
        self._checks_inputs = True
        self.seed_generator = keras.random.SeedGenerator()

    def post_init(self) -> None:
        """The last line of a model's constructor: tie, build, and initialise what this class adds."""
        self.tie_weights()
        self.build()
        if not _is_loading.get():
            names = list(self.named_weights())
            is_encoder = self.base_model is self
            init_weights(self, only={name for name in names if is_encoder or not name.startswith("electra.")})

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model: inputs as keywords, or in the first argument as a tensor, a list in order, or a dictionary."""
        named = by_name(self.argument_names, args, kwargs)
        with dropout_seeded_by(self._draw_seed):
            return super().__call__(**named)

    def _draw_seed(self) -> Tensor:
        return tf.cast(tf.cast(self.seed_generator.next(), tf.int64) % tf.int32.max, tf.int32)

    def named_weights(self) -> dict[str, Any]:
        """Name in the canonical checkpoint -> variable. A linear layer's matrix is kept transposed here."""
        return dict(named_weights(self))

    def arrays(self) -> files.Arrays:
        """Name in the canonical checkpoint -> NumPy array in its layout: what is saved."""
        return {name: _to_numpy(transposed(name, value.numpy())) for name, value in self.named_weights().items()}

    def __dir__(self) -> list[str]:
        # Keras saves whatever stands here, and an encoder is its own base_model.
        return [name for name in super().__dir__() if name != "base_model"]

    # -- the encoder inside -------------------------------------------------------------------------------------------

    @property
    def base_model(self) -> Any:
        """The encoder: `self.electra`, or the model itself where it is the encoder."""
        return getattr(self, self.base_model_prefix, self)

    @property
    def check_inputs(self) -> bool:
        """Whether a call looks at its inputs first. Costs one wait for the device; training loops turn it off."""
        return self.base_model._checks_inputs

    @check_inputs.setter
    def check_inputs(self, value: bool) -> None:
        self.base_model._checks_inputs = value

    @property
    def checks_now(self) -> bool:
        """Whether this call looks at its inputs: never while it is traced, where values are not known."""
        return self.check_inputs and tf.executing_eagerly()

    def num_parameters(self, only_trainable: bool = False) -> int:
        """How many numbers the model holds, shared ones once."""
        return sum(int(np.prod(v.shape)) for v in self.named_weights().values() if v.trainable or not only_trainable)

    def wants_dict(self, return_dict: bool | None) -> bool:
        return self.config.use_return_dict if return_dict is None else return_dict

    # -- embeddings ---------------------------------------------------------------------------------------------------

    def get_input_embeddings(self) -> Embedding:
        return self.base_model.embeddings.word_embeddings

    def set_input_embeddings(self, embeddings: Embedding) -> None:
        replace_layer(self.base_model.embeddings, "word_embeddings", embeddings)
        self.tie_weights()

    def get_output_embeddings(self) -> OutputTable | None:
        """The layer from E to V; None for models that do not name tokens."""
        return None

    @property
    def is_tied(self) -> bool:
        """Whether the model has an output table and it is the word table."""
        return self.get_output_embeddings() is not None and self.config.tie_word_embeddings

    def tie_weights(self) -> None:
        """Make the output table the word table itself, where the configuration says so."""
        output = self.get_output_embeddings()
        if output is not None and self.is_tied:
            output.tie(self.get_input_embeddings())

    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None
    ) -> Embedding:
        """Cut or extend the word table, and the output table and bias with it; new rows are random, new biases 0.

        pad_to_multiple_of rounds the size up, for tensor cores. Returns the word table; with no size, changes nothing.
        Compile the model again before it trains on: a Keras optimizer keeps to the variables it began with.
        """
        if new_num_tokens is not None or pad_to_multiple_of is not None:
            wanted = self.config.vocab_size if new_num_tokens is None else new_num_tokens
            step = pad_to_multiple_of or 1
            surgery.resize_vocabulary(self, -(-wanted // step) * step)
        return self.get_input_embeddings()

    # -- layers -------------------------------------------------------------------------------------------------------

    def prune_heads(self, heads_to_prune: dict[int, list[int]]) -> None:
        """Remove attention heads for good: layer -> heads, counted as in the unpruned model. Saved with the model."""
        surgery.prune_heads(self.base_model, heads_to_prune)

    # -- folders ------------------------------------------------------------------------------------------------------

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        *,
        config: ElectraConfig | None = None,
        output_loading_info: bool = False,
        dtype: str | None = None,
        ignore_mismatched_sizes: bool = False,
        allow_pickle_weights: bool = False,
        check_manifest: bool = True,
        from_pt: bool = False,  # accepted: every format is read without being told
        **changes: Any,
    ) -> Any:
        """The model of a folder; with output_loading_info, also what did not fit.

        dtype    a Keras policy, such as mixed_bfloat16; by default the one of keras.config
        A head that the file lacks starts at random and is named in a NewWeightsWarning. `changes` override the config; or
        they are revision, cache_dir, token and the like, for a name on the hub.
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
        arrays = read_weights(folder, allow_pickle_weights, check_manifest)
        with policy(dtype), _loading():
            model = cls(config)
        found = model._take(arrays, folder, ignore_mismatched_sizes)
        if not output_loading_info:
            return model
        info = {"missing_keys": found.missing, "unexpected_keys": found.unexpected, "mismatched_keys": found.mismatched}
        return model, info | {"error_msgs": []}

    def _take(self, arrays: files.Arrays, folder: Path, ignore_mismatched_sizes: bool) -> matching.Match:
        """Fill an empty model from a file's tensors; what the file lacks starts at random."""
        weights = self.named_weights()
        expected = turned_shapes({name: tuple(value.shape) for name, value in weights.items()})
        if self.is_tied:
            expected[TIED_TABLE] = tuple(self.get_input_embeddings().embeddings.shape)
        shapes = {name: array.shape for name, array in arrays.items()}
        found = matching.match(shapes, expected, is_tied=self.is_tied)
        matching.check(found, folder, ignore_mismatched_sizes=ignore_mismatched_sizes)
        matching.check_values(arrays, folder, is_tied=self.is_tied)
        init_weights(self, only={*found.missing, *(name for name, _, _ in found.mismatched)})
        fill(
            {name: weights[name] for name in found.sources}, {n: arrays[source] for n, source in found.sources.items()}
        )
        return found

    def save_pretrained(
        self, folder: str | Path, *, max_shard_size: int | str = "5GB", formats: Sequence[str] = ("safetensors",)
    ) -> None:
        """Write config.json and model.safetensors (in shards above max_shard_size); files of the user's stay.

        formats    "h5" and "msgpack" are the files of transformers' TensorFlow and Flax classes
        Everything is on the disk before the first old file is replaced. Raises WriteError with the old files intact.
        """
        config = copy.deepcopy(self.config)
        config.architectures = [type(self).__name__.removeprefix("TF")]
        config.torch_dtype = self.variable_dtype
        save_model(Path(folder), config, self.arrays(), max_shard_size, formats)

    def get_config(self) -> dict[str, Any]:
        """What Keras' own saving (model.save) writes to make the model again."""
        return {"config": self.config.to_dict(), "name": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> Any:
        return cls(ElectraConfig.from_dict(config["config"]), name=config["name"])


@contextmanager
def policy(dtype: str | None) -> Iterator[None]:
    """Layers made inside have this Keras policy; None leaves it as it is. Raises ConfigError on a name Keras refuses."""
    before = keras.mixed_precision.dtype_policy()
    try:
        if dtype is not None:
            keras.mixed_precision.set_dtype_policy(dtype)
        yield
    except ValueError as error:
        if "dtype" not in str(error).lower() or isinstance(error, ConfigError):
            raise
        raise ConfigError(f"dtype is {dtype!r}, which is no policy of Keras: {error}") from None
    finally:
        keras.mixed_precision.set_dtype_policy(before)


@contextmanager
def _loading() -> Iterator[None]:
    """Models made inside start empty."""
    token = _is_loading.set(True)
    try:
        yield
    finally:
        _is_loading.reset(token)


def _to_numpy(array: Any) -> files.Array:
    if array.dtype.name == "bfloat16":
        return np.ascontiguousarray(array).view(np.uint16).view(files.BFLOAT16)
    return np.ascontiguousarray(array)
