"""The sample of a record: a fixed input, and some of the numbers that a model folder answers to it.

Unusual here: the input is made of numbers, not of a text, so that a changed tokenizer cannot look like changed weights.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from electra import __version__
from electra.config import ElectraConfig
from electra.errors import DataError, install_hint
from electra.heads import HEADS, Head

POSITIONS = 16  # of the input, or as many as the model takes
CHOICES = 2  # of a multiple choice
NUMBERS = 64  # at most, of the answer, at even distances
TOLERANCE = 1e-4  # of the largest recorded number, or of 1: a hundred times what frameworks and processors differ by
ANSWERS = ("logits", "start_logits", "end_logits", "last_hidden_state")  # the fields of outputs that are compared
PACKAGES = {"torch": ("torch",), "flax": ("jax", "flax"), "tf": ("tensorflow", "keras")}


@dataclass(frozen=True)
class Sample:
    """Who answered (a framework), what it was asked, and some numbers of its answer."""

    framework: str
    input_ids: list[Any]
    logits: list[float]

    def difference(self, other: "Sample") -> float:
        """The largest difference of two numbers, as a share of the largest number here, or of 1; infinite for other shapes."""
        ours, theirs = np.array(self.logits), np.array(other.logits)
        if ours.shape != theirs.shape:
            return float("inf")
        return float(np.abs(ours - theirs).max(initial=0) / max(1.0, np.abs(ours).max(initial=0)))


def take_sample(folder: Path, class_name: str, config: ElectraConfig, recorded: Sample | None = None) -> Sample:
    """Ask the model of a folder what was asked before, in the same framework if it is installed, in another otherwise.

    Raises MissingDependencyError where no framework is installed, DataError where the answer is not finite, and what the
    model raises.
    """
    head = next((head for head in HEADS if head.class_name == class_name), HEADS[0])
    input_ids = np.array(recorded.input_ids, np.int64) if recorded else sample_ids(head, config)
    for framework in _installed(head, recorded.framework if recorded else ""):
        module = import_module(f"electra.{framework}.sample")
        kind = getattr(import_module("electra"), head.class_in(framework))
        output = module.answer(kind, folder, input_ids)
        numbers = np.concatenate([np.asarray(output[name]).ravel() for name in ANSWERS if name in output])
        if not np.isfinite(numbers).all():
            raise DataError(f"{folder}: the answer of {kind.__name__} is not finite, though its weights are")
        numbers = numbers[:: max(1, numbers.size // NUMBERS)][:NUMBERS]
        return Sample(framework, input_ids.tolist(), [float(f"{number:.7g}") for number in numbers])
    raise install_hint("a framework", head.frameworks[0], "computing logits")


def sample_ids(head: Head, config: ElectraConfig) -> np.ndarray[Any, Any]:
    """(1, L) ids spread over the vocabulary, (1, C, L) for multiple choice."""
    c = vars(config)
    choices, positions = CHOICES if head.logits == "BC" else 1, min(POSITIONS, c["max_position_embeddings"])
    ids: np.ndarray[Any, Any] = (7 + 31 * np.arange(choices * positions, dtype=np.int64)) % c["vocab_size"]
    return ids.reshape(1, choices, positions) if choices > 1 else ids.reshape(1, positions)


def _installed(head: Head, preferred: str) -> Iterator[str]:
    """The frameworks that have the head and are installed; first the preferred one, then what is imported already."""
    order = sorted(PACKAGES, key=lambda name: (name != preferred, PACKAGES[name][0] not in sys.modules))
    for framework in order:
        if framework in head.frameworks:
            try:
                for package in PACKAGES[framework]:
                    import_module(package)
            except ImportError:
                continue
            yield framework


def versions(framework: str = "") -> dict[str, str]:
    """What computes here: package -> version."""
    found = {"electra": __version__, "python": ".".join(map(str, sys.version_info[:3]))}
    for package in ("numpy", "tokenizers", *PACKAGES.get(framework, ())):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # a copy on the path, without metadata
            found[package] = str(getattr(import_module(package), "__version__", "unknown"))
    return found
