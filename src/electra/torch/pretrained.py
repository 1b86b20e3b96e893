"""What all models have besides forward: folders to load from and save to, embeddings, pruning, checkpointing."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from electra.config import ElectraConfig
from electra.errors import ConfigError
from electra.torch import surgery
from electra.torch.initial import init_weights
from electra.torch.trees import register_outputs
from electra.weights import files, matching
from electra.weights.folders import read_weights, save_model
from electra.weights.hub import local_folder, network_of, take_hub_options
from electra.weights.names import TIED_TABLE

register_outputs()


class ElectraPreTrainedModel(nn.Module):
    """Base of the models: nothing is computed here."""

    config_class = ElectraConfig
    base_model_prefix = "electra"
    main_input_name = "input_ids"
    reads_padding = False  # whether the hidden states of padding have a part in the answers for a row

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        config.validate()
        self.config = config
        self._checks_inputs = True

    def post_init(self) -> None:
        """The last line of a model's constructor: tie and initialise what this class adds."""
        self.tie_weights()
        if not _building_on_meta():
            names = [name for name, _ in self.named_parameters()]
            is_encoder = self.base_model is self
            init_weights(self, only={name for name in names if is_encoder or not name.startswith("electra.")})

    # -- the encoder inside -------------------------------------------------------------------------------------------

    @property
    def base_model(self) -> Any:
        """The encoder: `self.electra`, or the model itself where it is the encoder."""
        return getattr(self, self.base_model_prefix, self)

    @property
    def check_inputs(self) -> bool:
        """Whether forward looks at its inputs first. Costs one wait for the device; training loops turn it off."""
        return self.base_model._checks_inputs

    @check_inputs.setter
    def check_inputs(self, value: bool) -> None:
        self.base_model._checks_inputs = value

    @property
    def checks_now(self) -> bool:
        """Whether this call looks at its inputs: never while it is traced, where values are not known."""
        return self.check_inputs and not torch.compiler.is_compiling()

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def num_parameters(self, only_trainable: bool = False) -> int:
        """How many numbers the model holds, shared ones once."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad or not only_trainable)

    def wants_dict(self, return_dict: bool | None) -> bool:
        return self.config.use_return_dict if return_dict is None else return_dict

    # -- embeddings ---------------------------------------------------------------------------------------------------

    def get_input_embeddings(self) -> nn.Embedding:
        return self.base_model.embeddings.word_embeddings

    def set_input_embeddings(self, embeddings: nn.Embedding) -> None:
        self.base_model.embeddings.word_embeddings = embeddings
        self.tie_weights()

    def get_output_embeddings(self) -> nn.Linear | None:
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
            output.weight = self.get_input_embeddings().weight

    def resize_token_embeddings(
        self,
        new_num_tokens: int | None = None,
        pad_to_multiple_of: int | None = None,
        *,
        optimizer: torch.optim.Optimizer | None = None,
    ) -> nn.Embedding:
        """Cut or extend the word table, and the output table and bias with it; new rows are random, new biases 0.

        pad_to_multiple_of rounds the size up, for tensor cores. An optimizer over the model's parameters goes on with the
        new tables and its memory of the rows that stay. Returns the word table; with no size, changes nothing.
        """
        if new_num_tokens is not None or pad_to_multiple_of is not None:
            wanted = self.config.vocab_size if new_num_tokens is None else new_num_tokens
            step = pad_to_multiple_of or 1
            surgery.resize_vocabulary(self, -(-wanted // step) * step, optimizer)
        return self.get_input_embeddings()

    # -- layers -------------------------------------------------------------------------------------------------------

    def prune_heads(self, heads_to_prune: dict[int, list[int]]) -> None:
        """Remove attention heads for good: layer -> heads, counted as in the unpruned model. Saved with the model."""
        surgery.prune_heads(self.base_model, heads_to_prune)

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs: dict[str, Any] | None = None) -> None:
        """In training, keep each layer's input and compute the rest again for the gradient: less memory, more time."""
        self.base_model.encoder.checkpointing = {"use_reentrant": False} | (gradient_checkpointing_kwargs or {})

    def gradient_checkpointing_disable(self) -> None:
        self.base_model.encoder.checkpointing = None

    @property
    def is_gradient_checkpointing(self) -> bool:
        return self.base_model.encoder.checkpointing is not None

    # -- folders ------------------------------------------------------------------------------------------------------

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        *,
        config: ElectraConfig | None = None,
        output_loading_info: bool = False,
        torch_dtype: torch.dtype | str | None = None,
        dtype: torch.dtype | str | None = None,
        ignore_mismatched_sizes: bool = False,
        allow_pickle_weights: bool = False,
        check_manifest: bool = True,
        **changes: Any,
    ) -> Any:
        """The model of a folder, in eval mode; with output_loading_info, also what did not fit.

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
        with torch.device("meta"):
            model = cls(config)
        model.to_empty(device="cpu").tie_weights()
        found = model._take(arrays, folder, ignore_mismatched_sizes)
        model.to(_dtype(dtype or torch_dtype, config)).eval()
        if not output_loading_info:
            return model
        info = {"missing_keys": found.missing, "unexpected_keys": found.unexpected, "mismatched_keys": found.mismatched}
        return model, info | {"error_msgs": []}

    def _take(self, arrays: files.Arrays, folder: Path, ignore_mismatched_sizes: bool) -> matching.Match:
        """Fill an empty model from a file's tensors; what the file lacks starts at random."""
        state = self.state_dict()
        found = matching.match(
            {name: array.shape for name, array in arrays.items()},
            {name: tuple(tensor.shape) for name, tensor in state.items()},
            is_tied=self.is_tied,
        )
        matching.check(found, folder, ignore_mismatched_sizes=ignore_mismatched_sizes)
        matching.check_values(arrays, folder, is_tied=self.is_tied)
        init_weights(self, only={*found.missing, *(name for name, _, _ in found.mismatched)})
        with torch.no_grad():
            for name, source in found.sources.items():
                state[name].copy_(torch.from_numpy(arrays[source]))
        return found

    def save_pretrained(
        self, folder: str | Path, *, max_shard_size: int | str = "5GB", formats: Sequence[str] = ("safetensors",)
    ) -> None:
        """Write config.json and model.safetensors (in shards above max_shard_size); files of the user's stay.

        formats    "h5" and "msgpack" are the files of transformers' TensorFlow and Flax classes
        Everything is on the disk before the first old file is replaced. Raises WriteError with the old files intact.
        """
        config = copy.deepcopy(self.config)
        config.architectures = [type(self).__name__]
        config.torch_dtype = str(self.dtype).removeprefix("torch.")
        kept = {name: tensor for name, tensor in self.state_dict().items() if not (self.is_tied and name == TIED_TABLE)}
        save_model(
            Path(folder), config, {name: _to_numpy(tensor) for name, tensor in kept.items()}, max_shard_size, formats
        )


def _building_on_meta() -> bool:
    return torch.get_default_device().type == "meta"


def _dtype(asked: torch.dtype | str | None, config: ElectraConfig) -> torch.dtype:
    if asked == "auto":
        asked = config.torch_dtype
    if asked is None:
        return torch.float32
    found = getattr(torch, str(asked).removeprefix("torch."), None)
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise ConfigError(f"dtype is {asked!r}; expected float32, float16, bfloat16, float64 or auto")
    return found


def _to_numpy(tensor: Tensor) -> np.ndarray[Any, Any]:
    tensor = tensor.detach().cpu().contiguous()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(files.BFLOAT16)
    return tensor.numpy()
