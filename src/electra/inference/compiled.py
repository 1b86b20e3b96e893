"""The encoder in our own C (native/encoder.c): rows without padding, in float32, bfloat16 or int8, without any framework.

    rows -> the tokens of all of them, one after the other (T,) -> chunks of whole rows, for each thread -> hidden states (T, H)

Unusual here: a chunk goes through all layers before the next begins, so what it works in stays in the processor's cache, and
threads have nothing to wait for. Where rows cannot be shared out evenly, as with a single one, all threads go through a chunk
together, each with a part of every step: a row is answered by all cores. What comes out is the same either way.

float32 is the plain model to rounding. bfloat16 rounds weights and activations, int8 also gives each output a scale and each
token a range; residuals, LayerNorm and softmax are float32 in all three.
"""

import ctypes
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from electra import native
from electra.config import ElectraConfig
from electra.errors import InputError, UsageError
from electra.inference.sharing import Pace, in_order, shared_out, team_of

Array = np.ndarray[Any, Any]
KINDS = ("float32", "bfloat16", "int8")  # in the order of encoder.c
BYTES = (4, 2, 1)  # of a weight
RIGHT = 1.0  # how far a product of 128 standard normal numbers, about 11, may be off: in int8 it is by 0.3
LINE = 64  # bytes; what vectors are aligned to

pointer, number = ctypes.c_void_p, ctypes.c_int64


class Dense(ctypes.Structure):
    """`dense` of encoder.c."""

    _fields_ = (
        *((name, pointer) for name in ("weight", "scale", "total", "bias")),
        *((name, number) for name in ("inputs", "outputs")),
    )


class Layer(ctypes.Structure):
    """`layer` of encoder.c."""

    _fields_ = (
        *((name, Dense) for name in ("query", "key_value", "attention", "intermediate", "output")),
        ("norms", pointer * 4),
    )


class Network(ctypes.Structure):
    """`network` of encoder.c."""

    _fields_ = (
        *((name, number) for name in ("kind", "hidden", "heads", "embedding", "layers", "is_projected")),
        *((name, number) for name in ("vocabulary", "types", "positions")),
        ("epsilon", ctypes.c_double),
        *((name, pointer) for name in ("word_table", "type_table", "position_table")),
        ("norms", pointer * 2),
        ("project", Dense),
        ("layer", pointer),
    )


@cache
def _library() -> tuple[Any, tuple[str, ...]]:
    """The compiled code, and the kinds this processor multiplies in; nothing and none where it cannot be had."""
    found = native.library("encoder")
    if found is None:
        return None, ()
    _declare(found)
    bits = found.kinds()
    return found, tuple(kind for place, kind in enumerate(KINDS) if bits >> place & 1 and _is_right(found, kind))


def _is_right(found: Any, kind: str) -> bool:
    """Whether a layer in this kind answers as it should: instructions that a machine only claims to have are not used."""
    rng = np.random.default_rng(0)
    weight, x = rng.standard_normal((64, 128), np.float32), rng.standard_normal((40, 128), np.float32)
    difference = Linear(weight, np.zeros(64, np.float32), kind, found)(x) - x @ weight.T
    return float(np.abs(difference).max()) < RIGHT


def _declare(found: Any) -> None:
    """Tell ctypes what the functions take and answer."""
    long, integer = ctypes.c_long, ctypes.c_int
    for name, result, arguments in (
        ("encode_bytes", long, [pointer] + [long] * 4),
        ("encode", integer, [pointer] * 6 + [long, integer, long, long] + [pointer] * 3),
        ("pack", None, [integer, pointer, long, long, pointer, pointer, pointer]),
        ("apply_bytes", long, [integer, long, long]),
        ("apply", None, [integer, pointer, pointer, long, integer, pointer, pointer]),
    ):
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments


def kinds() -> tuple[str, ...]:
    """Those of KINDS this machine can compute in; none without a C compiler (electra.native.reason("encoder") says why)."""
    return _library()[1]


def why_not(config: ElectraConfig) -> str | None:
    """What keeps this code from running such a model, as an end of "not compiled: ..."; None where nothing does."""
    if not kinds():
        return native.reason("encoder")
    head = config.hidden_size // config.num_attention_heads
    widths = {config.hidden_size, config.embedding_size, config.intermediate_size, head}
    if config.hidden_act != "gelu":
        return f"hidden_act is {config.hidden_act}"
    if config.position_embedding_type != "absolute":
        return f"position_embedding_type is {config.position_embedding_type}"
    if config.is_decoder or config.add_cross_attention:
        return "the model is a decoder"
    if config.pruned_heads:
        return "attention heads were pruned"
    if any(width % 16 for width in widths):
        return f"a width is no multiple of 16: {', '.join(map(str, sorted(widths)))}"
    return None


class Linear:
    """One linear layer. weight (outputs, inputs), bias (outputs,); inputs a multiple of 16."""

    def __init__(self, weight: Array, bias: Array, kind: str, library: Any = None) -> None:
        outputs, inputs = weight.shape
        padded = -(-outputs // 16) * 16  # panels have 16 outputs; those beyond are 0 and never looked at
        self.kind, self.outputs, self.library = KINDS.index(kind), outputs, library or _library()[0]
        weight = np.ascontiguousarray(weight, np.float32)
        self.bias = np.zeros(padded, np.float32)
        self.bias[:outputs] = bias
        self.panels = _aligned(padded * inputs * BYTES[self.kind])
        self.scale, self.total = np.zeros((2, padded), np.float32)
        self.library.pack(
            self.kind, weight.ctypes.data, outputs, inputs,
            *(array.ctypes.data for array in (self.panels, self.scale, self.total)),
        )  # fmt: skip
        arrays = (self.panels, self.scale, self.total, self.bias)
        self.dense = Dense(*(array.ctypes.data for array in arrays), inputs, padded)

    def __call__(self, x: Array, *, gelu: bool = False) -> Array:
        """x (T, inputs) float32 -> (T, outputs)"""
        x = np.ascontiguousarray(x, np.float32)
        room = _aligned(self.library.apply_bytes(self.kind, *x.shape))
        out = np.empty((len(x), self.dense.outputs), np.float32)
        address = ctypes.addressof(self.dense)
        self.library.apply(self.kind, address, x.ctypes.data, len(x), gelu, room.ctypes.data, out.ctypes.data)
        return out[:, : self.outputs]


@dataclass(frozen=True)
class Tokens:
    """The real tokens of a batch, row after row.

    ids, types, positions  (T,) int32
    lengths                (rows,) int32  how many are of each row, at least one
    """

    ids: Array
    types: Array
    positions: Array
    lengths: Array


class CompiledEncoder:
    """An encoder with its weights as `kind` holds them.

    weights   float32 by Hugging Face's names, with the prefix `electra.`
    threads   that answer chunks of a batch side by side
    """

    def __init__(self, config: ElectraConfig, weights: Mapping[str, Array], kind: str, threads: int = 1) -> None:
        reason = why_not(config) or (None if kind in kinds() else f"this processor does not multiply {kind}")
        if reason is not None:
            raise UsageError(f"not compiled: {reason}")
        self.width, self.threads, self.library = int(config.hidden_size), threads, _library()[0]
        self.held: list[Any] = []  # what the structures point to
        self.layers = self._layers(config, weights, kind)
        self.network = self._network(config, weights, kind)
        self.place = threading.local()  # what each thread works in
        self.pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self.starts = threading.Lock()
        self.pace = Pace()

    def __call__(self, tokens: Tokens, *, first_only: bool = False) -> Array:
        """Hidden states (T, H) float32, or those of the first token of each row, (rows, H).

        Raises InputError where a number is outside its table.
        """
        out = np.empty((len(tokens.lengths) if first_only else len(tokens.ids), self.width), np.float32)
        starts = np.concatenate([[0], np.cumsum(tokens.lengths, dtype=np.int64)])
        given = [array.ctypes.data for array in (tokens.ids, tokens.types, tokens.positions, starts)]

        def answer(rows: Array, room: int, meeting: int | None, me: int, team: int) -> int:
            chosen = rows.ctypes.data, len(rows)
            answered: int = self.library.encode(
                self.address, *given, *chosen, first_only, me, team, meeting, room, out.ctypes.data
            )
            return answered

        chunks = shared_out(tokens.lengths, self.threads)
        team = team_of(tokens.lengths, chunks, self.threads)
        together = team > 1 and self.pace.is_faster_together()
        started = time.perf_counter()
        answers = (
            self._together(answer, tokens.lengths, team) if together else self._alone(answer, tokens.lengths, chunks)
        )
        for wrong in answers:
            if wrong:
                raise self._refusal(tokens, wrong)
        if team > 1:
            self.pace.note(together, (time.perf_counter() - started) / len(tokens.ids))
        return out

    def _alone(self, answer: Callable[..., int], lengths: Array, chunks: Sequence[Array]) -> Iterator[int]:
        """A thread for each chunk of rows."""
        by = map if self.pool is None or len(chunks) == 1 else self.pool.map
        return by(lambda rows: answer(rows, self._room(self._bytes(lengths[rows], 1)), None, 0, 1), chunks)

    def _together(self, answer: Callable[..., int], lengths: Array, team: int) -> Iterator[int]:
        """All threads of a team for each chunk, this one among them."""
        assert self.pool is not None
        for rows in in_order(lengths):
            room, meeting = self._room(self._bytes(lengths[rows], team)), np.zeros(LINE, np.uint8)
            given = rows, room, meeting.ctypes.data
            with self.starts:  # a team's threads in a row: else two teams could wait for each other
                others = [self.pool.submit(answer, *given, me, team) for me in range(1, team)]
            yield answer(*given, 0, team)
            yield from [one.result() for one in others]

    def _bytes(self, lengths: Array, team: int) -> int:
        tokens, longest = int(lengths.sum()), int(lengths.max(initial=0))
        return int(self.library.encode_bytes(self.address, len(lengths), tokens, longest, team))

    def _refusal(self, tokens: Tokens, wrong: int) -> InputError:
        """The error for what `encode` answered with this number."""
        what, given, size = (
            ("input_ids", tokens.ids, self.network.vocabulary),
            ("token_type_ids", tokens.types, self.network.types),
            ("positions", tokens.positions, self.network.positions),
        )[wrong - 1]
        return InputError(
            f"{what} are {given.min()} to {given.max()}; the model has 0 to {size - 1}. Longer texts are cut or read in "
            "windows; other ids come from the tokenizer of another model"
        )

    def _room(self, size: int) -> int:
        """Memory of this thread's own, kept from call to call."""
        if size > getattr(self.place, "size", 0):
            self.place.memory, self.place.size = _aligned(size), size
        return int(self.place.memory.ctypes.data)

    # -- weights ------------------------------------------------------------------------------------------------------

    def _network(self, config: ElectraConfig, weights: Mapping[str, Array], kind: str) -> Network:
        network = Network(
            kind=KINDS.index(kind), hidden=config.hidden_size, heads=config.num_attention_heads,
            embedding=config.embedding_size, layers=config.num_hidden_layers, vocabulary=config.vocab_size,
            types=config.type_vocab_size, positions=config.max_position_embeddings, epsilon=config.layer_norm_eps,
            is_projected=config.embedding_size != config.hidden_size, layer=ctypes.addressof(self.layers),
        )  # fmt: skip
        place = "electra.embeddings"
        for name in ("word", "position"):
            setattr(network, f"{name}_table", self._pointer(weights[f"{place}.{name}_embeddings.weight"]))
        network.type_table = self._pointer(weights[f"{place}.token_type_embeddings.weight"])
        network.norms = (pointer * 2)(*self._norm(weights, f"{place}.LayerNorm"))
        if network.is_projected:
            network.project = self._dense(weights, kind, "electra.embeddings_project")
        self.address = ctypes.addressof(network)
        return network

    def _layers(self, config: ElectraConfig, weights: Mapping[str, Array], kind: str) -> Any:
        layers = (Layer * int(config.num_hidden_layers))()
        scale = 1 / math.sqrt(config.hidden_size // config.num_attention_heads)  # of the scores, put into the queries
        for place, layer in enumerate(layers):
            name = f"electra.encoder.layer.{place}"
            layer.query = self._dense(weights, kind, f"{name}.attention.self.query", scale=scale)
            layer.key_value = self._dense(weights, kind, f"{name}.attention.self.key", f"{name}.attention.self.value")
            layer.attention = self._dense(weights, kind, f"{name}.attention.output.dense")
            layer.intermediate = self._dense(weights, kind, f"{name}.intermediate.dense")
            layer.output = self._dense(weights, kind, f"{name}.output.dense")
            norms = [f"{name}.attention.output.LayerNorm", f"{name}.output.LayerNorm"]
            layer.norms = (pointer * 4)(*(address for norm in norms for address in self._norm(weights, norm)))
        return layers

    def _dense(self, weights: Mapping[str, Array], kind: str, *names: str, scale: float = 1.0) -> Dense:
        """The layers of these names as one, its outputs side by side."""
        weight, bias = (np.concatenate([weights[f"{name}.{part}"] for name in names]) for part in ("weight", "bias"))
        linear = Linear(weight * np.float32(scale), bias * np.float32(scale), kind)
        self.held.append(linear)
        return linear.dense

    def _norm(self, weights: Mapping[str, Array], name: str) -> Sequence[int]:
        return [self._pointer(weights[f"{name}.{part}"]) for part in ("weight", "bias")]

    def _pointer(self, array: Array) -> int:
        held = np.ascontiguousarray(array, np.float32)
        self.held.append(held)
        return int(held.ctypes.data)


def _aligned(size: int) -> Array:
    """So many bytes, the first at a multiple of LINE."""
    memory = np.empty(size + LINE, np.uint8)
    begin = -memory.ctypes.data % LINE
    return memory[begin : begin + size]
