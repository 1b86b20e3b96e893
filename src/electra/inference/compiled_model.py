"""Every head over the compiled encoder: padded arrays in, what the class in PyTorch answers out, without PyTorch.

Heads are float32 whatever the encoder's kind: they are a small part of the work, and decide.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from electra.config import ElectraConfig
from electra.errors import InputError
from electra.inference import compiled
from electra.inference.compiled import Array, CompiledEncoder, Linear, Tokens
from electra.weights.names import TIED_TABLE, WORD_TABLE


@dataclass(frozen=True)
class Head:
    """Linear layers with GELU between them, after which `norm` stands where there is one.

    first_only   whether it reads the first token of a row alone
    """

    layers: tuple[str, ...] = ()
    first_only: bool = False
    norm: str = ""


HEADS = {
    "ElectraModel": Head(),
    "ElectraForPreTraining": Head(("discriminator_predictions.dense", "discriminator_predictions.dense_prediction")),
    "ElectraForMaskedLM": Head(
        ("generator_predictions.dense", "generator_lm_head"), norm="generator_predictions.LayerNorm"
    ),
    "ElectraForSequenceClassification": Head(("classifier.dense", "classifier.out_proj"), first_only=True),
    "ElectraForMultipleChoice": Head(("sequence_summary.summary", "classifier"), first_only=True),
    "ElectraForTokenClassification": Head(("classifier",)),
    "ElectraForQuestionAnswering": Head(("qa_outputs",)),
    "ElectraOriginalForSequenceClassification": Head(("classifier",), first_only=True),
    "ElectraOriginalForTokenClassification": Head(("classifier",)),
}


def why_not(class_name: str, config: ElectraConfig) -> str | None:
    """What keeps a model from being answered by compiled code; None where nothing does."""
    if class_name not in HEADS:
        return f"{class_name} has a head of its own"
    summary = config.summary_type, config.summary_activation, config.summary_use_proj
    if class_name == "ElectraForMultipleChoice" and summary != ("first", "gelu", True):
        return f"summary_type, summary_activation and summary_use_proj are {', '.join(map(str, summary))}"
    if class_name == "ElectraForQuestionAnswering" and config.num_labels != 2:
        return f"num_labels is {config.num_labels}"
    return compiled.why_not(config)


class CompiledModel:
    """A model of a class of HEADS.

    weights   by Hugging Face's names, float32
    kind      float32, bfloat16 or int8: how the encoder's weights are held
    threads   that answer parts of a batch
    Raises UsageError where this machine or this code cannot (see `why_not`).
    """

    def __init__(
        self, class_name: str, config: ElectraConfig, weights: Mapping[str, Array], kind: str, threads: int = 1
    ) -> None:
        self.class_name, self.head = class_name, HEADS[class_name]
        self.encoder = CompiledEncoder(config, weights, kind, threads)
        given = {TIED_TABLE: weights[WORD_TABLE]} | dict(weights)
        self.layers = [Linear(given[f"{name}.weight"], given[f"{name}.bias"], "float32") for name in self.head.layers]
        self.norm = [given[f"{self.head.norm}.{part}"] for part in ("weight", "bias")] if self.head.norm else None
        self.epsilon = config.layer_norm_eps

    def predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The answer's fields by name, float32, 0 on padding.

        inputs   input_ids (B, L), and perhaps attention_mask (B, L) of 0 and 1 and token_type_ids (B, L); of multiple
                 choice (B, C, L)
        Raises InputError on ids the model does not have, or a row that begins with padding.
        """
        shape = inputs["input_ids"].shape
        tokens, is_real = _unpad(inputs)
        x = self._head(self.encoder(tokens, first_only=self.head.first_only))
        return self._fields(x if self.head.first_only else _pad(x, is_real, shape), shape)

    def answer_at(self, inputs: Mapping[str, Array], positions: Array) -> Array:
        """The head's answer for one real token of each row alone: positions (B,) -> (B, N)."""
        tokens, is_real = _unpad(inputs)
        before = np.cumsum(is_real.reshape(-1)) - 1  # of each place, the number of its token
        rows = np.arange(len(is_real)) * is_real.shape[1]
        return self._head(self.encoder(tokens)[before[rows + positions]])

    def _head(self, x: Array) -> Array:
        for place, layer in enumerate(self.layers):
            is_last = place == len(self.layers) - 1
            x = layer(x, gelu=not is_last)
            if self.norm is not None and not is_last:
                x = self._normalised(x)
        return x

    def _normalised(self, x: Array) -> Array:
        assert self.norm is not None
        centred = x - x.mean(-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(-1, keepdims=True) + self.epsilon)
        return np.asarray(centred / spread * self.norm[0] + self.norm[1])

    def _fields(self, x: Array, shape: tuple[int, ...]) -> dict[str, Array]:
        if self.class_name == "ElectraModel":
            return {"last_hidden_state": x}
        if self.class_name == "ElectraForPreTraining":
            return {"logits": x[..., 0]}
        if self.class_name == "ElectraForQuestionAnswering":
            return {"start_logits": x[..., 0], "end_logits": x[..., 1]}
        return {"logits": x.reshape(shape[:-1]) if self.class_name == "ElectraForMultipleChoice" else x}


def _unpad(inputs: Mapping[str, Array]) -> tuple[Tokens, Array]:
    """The real tokens of a batch, and where they stand: (rows, L) bool."""
    ids = inputs["input_ids"].reshape(-1, inputs["input_ids"].shape[-1])
    mask, types = inputs.get("attention_mask"), inputs.get("token_type_ids")
    is_real = np.ones(ids.shape, bool) if mask is None else mask.reshape(ids.shape) > 0
    if not is_real[:, :1].all() or not ids.shape[1]:
        row = int(np.argmin(is_real[:, 0])) if ids.shape[1] else 0
        raise InputError(f"row {row} begins with padding, or is empty; pad rows at their end")
    _, positions = np.nonzero(is_real)
    kinds = np.zeros(len(positions), np.int32) if types is None else types.reshape(ids.shape)[is_real].astype(np.int32)
    lengths = np.count_nonzero(is_real, 1).astype(np.int32)
    return Tokens(ids[is_real].astype(np.int32), kinds, positions.astype(np.int32), lengths), is_real


def _pad(x: Array, is_real: Array, shape: tuple[int, ...]) -> Array:
    """(T, N) -> (B, L, N)"""
    if len(x) == is_real.size:
        return x.reshape(*shape, -1)
    out = np.zeros((*is_real.shape, x.shape[-1]), np.float32)
    out[is_real] = x
    return out.reshape(*shape, -1)
