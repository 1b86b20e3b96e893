"""A discriminator or a generator of any framework, behind rows of token ids of any lengths; and how a text becomes rows.

    text -> Pieces -> a window of them -> row -> batches of about equal length -> the network

Unusual here: a window is no longer than the rows the network was pretrained on, where its run, or the tokenizer that a
conversion wrote beside it, says how long they were.
Positions beyond were never trained: with twice the length a model of this project ranks replaced words worse.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from electra.config import read_json_object
from electra.errors import UsageError, WeightsError, did_you_mean, install_hint
from electra.inference.engine import check_engine
from electra.inference.machine import cores
from electra.inference.reader import open_reader
from electra.inference.session import FILE, Reader
from electra.tokenization import load_tokenizer
from electra.training.tune_batches import padding_multiple
from electra.weights.matching import NewWeightsWarning

Array = np.ndarray[Any, Any]
OF_A_RUN = ("discriminator", "generator", "masked_lm")  # folders of the networks of a run, and of its checkpoints

# framework -> (module, the package whose absence is answered with an install command)
FRAMEWORKS = {
    "torch": ("electra.torch.reader", "torch"),
    "tf": ("electra.tf.reader", "tensorflow"),
    "flax": ("electra.flax.reader", "flax"),
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """How networks answer. batch_size in rows; device cpu, cuda, cuda:1 or auto; threads of the processor, 0 for all.

    engine   auto, float32, bfloat16, int8 or plain; see electra.inference.engine
    """

    framework: str = "torch"
    engine: str = "auto"
    batch_size: int = 32
    device: str = "auto"
    threads: int = 0


@dataclass(frozen=True)
class Pieces:
    """The pieces of a text.

    ids      (n,) int32    without [CLS] and [SEP]
    offsets  (n, 2) int64  the characters each stands for
    words    (n,) int64    the number of the word each is of: letters between white space, or one punctuation mark
    """

    ids: Array
    offsets: Array
    words: Array


class Network:
    """The network of one model folder with its tokenizer.

    Raises WeightsError where the folder lacks its head, MissingDependencyError without its framework.
    """

    def __init__(self, class_name: str, folder: Path, options: Options) -> None:
        self.reader = _open_reader(class_name, folder, options)
        self.tokenizer = load_tokenizer(folder)
        self.batch_size = options.batch_size
        positions = int(self.reader.config.max_position_embeddings)
        self.max_length = min(trained_length(folder, positions), self.tokenizer.model_max_length)
        self.multiple = padding_multiple(self.max_length, options.framework)

    def pieces(self, text: str) -> Pieces:
        """All pieces of a text, however long it is. "[SEP]" and the like in it are text."""
        encoded = self.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=True, verbose=False
        )
        return Pieces(
            np.array(encoded["input_ids"], np.int32),
            np.array(encoded["offset_mapping"], np.int64).reshape(-1, 2),
            np.array(encoded.word_ids(), np.int64),
        )

    def row(self, ids: Sequence[int] | Array) -> Array:
        """[CLS] ids [SEP]"""
        ends = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        return np.concatenate([ends[:1], np.asarray(ids), ends[1:]]).astype(np.int32)

    def replaced(self, rows: Sequence[Array]) -> list[Array]:
        """Of a discriminator: the logit of each position of each row, (L,) float32."""
        answers: list[Array] = [np.empty(0)] * len(rows)
        for numbers, inputs in self._batches(rows):
            found = self.reader.replaced(inputs)
            for place, number in enumerate(numbers):
                answers[number] = found[place, : len(rows[number])]
        return answers

    def tokens(self, rows: Sequence[Array], positions: Sequence[int]) -> Array:
        """Of a generator: log-probabilities (rows, V) float32 of what stands at one position of each row."""
        asked = np.array(positions, np.int32)
        answers = np.empty((len(rows), self.reader.config.vocab_size), np.float32)
        for numbers, inputs in self._batches(rows):
            filler = [0] * (len(inputs["input_ids"]) - len(numbers))
            found = self.reader.tokens(inputs, np.concatenate([asked[numbers], filler]).astype(np.int32))
            answers[numbers] = _log_softmax(found[: len(numbers)])
        return answers

    def _batches(self, rows: Sequence[Array]) -> Iterator[tuple[list[int], dict[str, Array]]]:
        """Numbers of rows with their inputs. Where shapes are compiled lengths are few, and empty rows fill the last batch."""
        order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
        for start in range(0, len(order), self.batch_size):
            numbers = order[start : start + self.batch_size]
            count = self.batch_size if self.multiple > 1 else len(numbers)
            longest = min(-(-len(rows[numbers[-1]]) // self.multiple) * self.multiple, self.max_length)
            input_ids = np.full((count, longest), self.tokenizer.pad_token_id, np.int32)
            attention_mask = np.zeros_like(input_ids)
            for place, number in enumerate(numbers):
                input_ids[place, : len(rows[number])] = rows[number]
                attention_mask[place, : len(rows[number])] = 1
            yield numbers, {"input_ids": input_ids, "attention_mask": attention_mask}


def around(count: int, first: int, stop: int, room: int) -> tuple[int, int]:
    """The window of at most `room` of `count` pieces with pieces first:stop as near to its middle as the text allows."""
    begin = first - (room - (stop - first)) // 2
    begin = max(0, min(begin, count - room))
    return begin, min(count, begin + room)


def _open_reader(class_name: str, folder: Path, options: Options) -> Any:
    if options.framework not in FRAMEWORKS:
        raise UsageError(
            f'there is no framework "{options.framework}"{did_you_mean(options.framework, FRAMEWORKS)}; expected '
            f"{', '.join(FRAMEWORKS)}"
        )
    check_engine(options.engine)
    if (folder / FILE).is_file():
        return Reader(class_name, folder, threads=options.threads or cores(), engine=options.engine)
    if options.framework == "torch" and options.engine != "plain":
        compiled = open_reader(
            class_name, folder, device=options.device, threads=options.threads, engine=options.engine
        )
        if compiled is not None:
            return compiled
    if options.engine in ("bfloat16", "int8"):
        raise UsageError(
            f"{folder}: {options.engine} of a pretrained model is computed by our own C alone, which is not to be had here for "
            "it; expected engine auto, float32 or plain"
        )
    module, package = FRAMEWORKS[options.framework]
    try:
        import_module(package)
    except ImportError:
        raise install_hint(package, options.framework, f"answering with framework {options.framework}") from None
    with warnings.catch_warnings():
        warnings.simplefilter("error", NewWeightsWarning)
        try:
            reader = import_module(module).Reader
            return reader(class_name, folder, device=options.device, threads=options.threads)
        except NewWeightsWarning as warning:  # a head that starts at random would answer nonsense
            raise WeightsError(f"{class_name} cannot answer without its head: {warning}") from None


def trained_length(folder: Path, positions: int) -> int:
    """The tokens of a row: those of pretraining where the run around the network says so, else `positions`."""
    folder = folder.resolve()
    records = (outer / "settings.json" for outer in folder.parents[:3])  # RUN/NETWORK, or RUN/checkpoints/STEP/NETWORK
    record = next((path for path in records if path.is_file()), None)
    if folder.name not in OF_A_RUN or record is None:
        return positions
    settings = read_json_object(record).get("settings", {})
    return min(positions, int(settings.get("max_length", positions)))


def _log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))
