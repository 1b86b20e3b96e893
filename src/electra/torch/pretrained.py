"""What all models have besides forward: first weights, folders, embeddings, pruning.

Unusual here: first weights are the original's, not Hugging Face's: truncated normal (cut at two standard deviations),
Glorot uniform for embeddings_project and the layers that make a head's decision, and no zero row for [PAD].
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from electra.config import ElectraConfig
from electra.errors import ConfigError, WeightsError
from electra.weights import files, matching
from electra.weights.folders import save_model
from electra.weights.hub import local_folder
from electra.weights.names import TIED_TABLE, is_glorot

POSITIONS = ("normal", "sinusoid")


class ElectraPreTrainedModel(nn.Module):
    """Base of the models: nothing is computed here."""

    config_class = ElectraConfig
    base_model_prefix = "electra"
    main_input_name = "input_ids"

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        config.validate()
        self.config = config
        self._checks_inputs = True

    def post_init(self) -> None:
        """The last line of a model's constructor: tie and initialise what this class adds."""
        self.tie_weights()
        if not _building_on_meta():
            is_encoder = self.base_model is self
            init_weights(
                self, only={n for n, _ in self.named_parameters() if is_encoder or not n.startswith("electra.")}
            )

    # -- the encoder inside -------------------------------------------------------------------------------------------

    @property
    def base_model(self) -> nn.Module:
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

    def tie_weights(self) -> None:
        """Make the output table the word table itself, where the configuration says so."""
        output = self.get_output_embeddings()
        if output is not None and self.config.tie_word_embeddings:
            output.weight = self.get_input_embeddings().weight

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
        **changes: Any,
    ) -> Any:
        """The model of a folder, in eval mode; with output_loading_info, also what did not fit.

        A head that the file lacks starts at random and is named in a NewWeightsWarning. `changes` go to the configuration.
        Raises WeightsError, with everything that does not fit, where the tensors are not this model's.
        """
        folder = local_folder(source)
        if config is None:
            config = ElectraConfig.from_pretrained(folder, **changes)
        arrays = _read(folder, allow_pickle_weights)
        with torch.device("meta"):
            model = cls(config)
        model.to_empty(device="cpu")
        model.tie_weights()
        found = model._take(arrays, folder, ignore_mismatched_sizes)
        model.to(_dtype(dtype or torch_dtype, config))
        model.eval()
        if not output_loading_info:
            return model
        info = {"missing_keys": found.missing, "unexpected_keys": found.unexpected, "mismatched_keys": found.mismatched}
        return model, info | {"error_msgs": []}

    def _take(self, arrays: files.Arrays, where: Path, ignore_mismatched_sizes: bool) -> matching.Match:
        state = self.state_dict()
        is_tied = bool(self.config.tie_word_embeddings)
        found = matching.match(
            {name: array.shape for name, array in arrays.items()},
            {name: tuple(tensor.shape) for name, tensor in state.items()},
            is_tied=is_tied,
        )
        matching.check(found, where, ignore_mismatched_sizes=ignore_mismatched_sizes)
        new = {*found.missing, *(name for name, _, _ in found.mismatched)}
        init_weights(self, only=new)
        with torch.no_grad():
            for name, source in found.sources.items():
                state[name].copy_(torch.from_numpy(np.asarray(arrays[source])))
        return found

    def save_pretrained(self, folder: str | Path, *, max_shard_size: int | str = "5GB") -> None:
        """Write config.json and model.safetensors (in shards above max_shard_size); other files of the folder stay.

        Everything is on the disk before the first old file is replaced. Raises WriteError with the old files intact.
        """
        config = type(self.config)(**self.config._arguments())
        config.architectures = [type(self).__name__]
        config.torch_dtype = str(self.dtype).removeprefix("torch.")
        tied = self.get_output_embeddings() is not None and self.config.tie_word_embeddings
        arrays = {
            name: _to_numpy(tensor) for name, tensor in self.state_dict().items() if not (tied and name == TIED_TABLE)
        }
        save_model(Path(folder), config, arrays, max_shard_size)


def _building_on_meta() -> bool:
    return torch.get_default_device().type == "meta"


def _read(folder: Path, allow_pickle_weights: bool) -> files.Arrays:
    pickle = folder / files.PICKLE
    if not pickle.is_file() or (folder / files.WEIGHTS).is_file() or (folder / files.INDEX).is_file():
        return files.read_tensors(folder)
    if not allow_pickle_weights:
        raise WeightsError(
            f"{folder} holds its weights only as {files.PICKLE}, a pickle, which can carry code that runs when it is read. "
            "If you trust its origin, pass allow_pickle_weights=True (it is read by torch's weights-only loader) and save the "
            "model again: save_pretrained writes safetensors"
        )
    try:
        state = torch.load(pickle, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever the unpickler raises on a file of unknown content
        raise WeightsError(f"{pickle} was refused by the weights-only loader: {str(error).splitlines()[0]}") from None
    return {name: tensor.to(torch.float32).numpy() for name, tensor in state.items()}


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


def init_weights(
    model: nn.Module,
    generator: torch.Generator | None = None,
    *,
    positions: str = "normal",
    amplitude: float = 0.07,
    std: float | None = None,
    only: set[str] | None = None,
) -> None:
    """Fill the model with first weights, in place.

    generator   the source of randomness; torch's own if None
    positions   "normal": the position table starts as the others do. "sinusoid": it starts as sinusoids of `amplitude`,
                and is trained like any other table
    std         standard deviation of the truncated normal; the model's initializer_range if None
    only        names of the parameters to fill; all if None
    """
    if positions not in POSITIONS:
        raise ConfigError(f"positions is {positions!r}; expected one of {', '.join(POSITIONS)}")
    std = model.config.initializer_range if std is None else std
    for name, parameter in model.named_parameters():
        if only is not None and name not in only:
            continue
        module, _, leaf = name.rpartition(".")
        with torch.no_grad():
            if leaf == "bias":
                parameter.zero_()
            elif module.endswith("LayerNorm"):
                parameter.fill_(1)
            elif is_glorot(module):
                nn.init.xavier_uniform_(parameter, generator=generator)
            elif positions == "sinusoid" and module.endswith("position_embeddings"):
                parameter.copy_(amplitude * sinusoids(*parameter.shape))
            else:
                nn.init.trunc_normal_(parameter, std=std, a=-2 * std, b=2 * std, generator=generator)


def sinusoids(length: int, width: int) -> Tensor:
    """(length, width): sines in the first half of the columns, cosines in the second. Vaswani et al. (2017), section 3.5."""
    half = (width + 1) // 2
    rates = torch.exp(-math.log(10_000) * torch.arange(half) / max(1, half))  # (width / 2)
    angles = torch.arange(length)[:, None] * rates  # (length, width / 2)
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]
