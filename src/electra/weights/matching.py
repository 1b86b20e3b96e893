"""Which tensor of a file goes where in a model, and what to say when they do not fit.

Unusual here: loading is strict. Only the whole head of another task may be absent or surplus, and it is named; every
other difference is listed in one error with its likely cause.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from electra.errors import WeightsError, did_you_mean
from electra.weights.names import TIED_TABLE, TOLERATED, WORD_TABLE, Shape, canonical, head_of

Array = Any  # numpy.ndarray
Misfit = tuple[str, Shape, Shape]  # name, the file's shape, the model's


class NewWeightsWarning(UserWarning):
    """A model was loaded from a file without its head: the named tensors are random and need training."""


@dataclass
class Match:
    """sources: the model's name -> the file's name. The other three list what does not fit, by name."""

    sources: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: list[Misfit] = field(default_factory=list)  # name, file's shape, model's shape


def match(found: Mapping[str, Shape], expected: Mapping[str, Shape], *, is_tied: bool) -> Match:
    """Pair the tensors of a file with those of a model, with or without the prefix `electra.` on either side.

    is_tied says that the model's output table is its word table: the file may then lack it.
    """
    result = Match()
    in_file = {canonical(name): name for name in found}
    for name, shape in expected.items():
        source = in_file.pop(canonical(name), None)
        if name == TIED_TABLE and is_tied:
            continue
        if source is None:
            result.missing.append(name)
        elif found[source] != shape:
            result.mismatched.append((name, found[source], shape))
        else:
            result.sources[name] = source
    result.unexpected = [source for name, source in in_file.items() if not name.endswith(TOLERATED)]
    return result


def check(result: Match, where: Path, *, ignore_mismatched_sizes: bool = False) -> None:
    """Raise WeightsError with everything that does not fit, or warn of the head that starts at random."""
    absent = {head_of(name) for name in result.missing}
    present = {head_of(name) for name in [*result.sources, *(entry[0] for entry in result.mismatched)]} - {None}
    lost = [name for name in result.missing if head_of(name) is None or head_of(name) in present]
    strange = [name for name in result.unexpected if head_of(canonical(name)) is None]
    misshapen = [] if ignore_mismatched_sizes else result.mismatched
    if lost or strange or misshapen:
        raise WeightsError(_explain(where, result, lost, strange, misshapen))
    random = [*result.missing, *(entry[0] for entry in result.mismatched)]
    if random:
        surplus = sorted({head for name in result.unexpected if (head := head_of(name))})
        other = f" (it has {', '.join(surplus)} instead)" if surplus and absent else ""
        warnings.warn(
            f"{where} does not hold {', '.join(random)}{other}: they start at random and need training",
            NewWeightsWarning,
            stacklevel=4,
        )


def _explain(where: Path, result: Match, lost: list[str], strange: list[str], misshapen: list[Misfit]) -> str:
    lines = [f"  - {name} is missing" for name in lost]
    lines += [f"  - {name} is unknown{did_you_mean(name, lost)}" for name in strange]
    lines += [f"  - {name} has shape {found} in the file, {wanted} in the model" for name, found, wanted in misshapen]
    cause = _likely_cause(result, lost, strange, misshapen)
    return f"{where} does not fit the model, {len(lines)} tensors differ:\n" + "\n".join(lines) + f"\n{cause}"


def _likely_cause(result: Match, lost: list[str], strange: list[str], misshapen: list[Misfit]) -> str:
    shapes = {canonical(name): (found, wanted) for name, found, wanted in misshapen}
    if lost and not any(canonical(name).startswith("electra.") for name in result.sources):
        return "None of the encoder's tensors is in the file: it holds the weights of another kind of model."
    if WORD_TABLE in shapes:
        found, wanted = shapes[WORD_TABLE]
        if found[0] != wanted[0] and found[1] == wanted[1]:
            return f"Likely cause: another vocabulary; the file was made with vocab_size {found[0]}, not {wanted[0]}."
        if found[1] != wanted[1]:
            return f"Likely cause: another embedding_size; the file was made with {found[1]}, not {wanted[1]}."
    if any(".encoder.layer.0." in name for name in shapes):
        return "Likely cause: config.json and weights are of two sizes, such as a generator's and a discriminator's."
    if any(".encoder.layer." in name for name in lost + strange):
        return "Likely cause: another num_hidden_layers, or layers of another kind; is config.json from another model?"
    if shapes and all(head_of(name) for name in shapes):
        return "Likely cause: another number of labels; set num_labels, or ignore_mismatched_sizes=True for a new head."
    return "Is config.json from another model?"


def check_values(tensors: Mapping[str, Array], where: Path, *, is_tied: bool) -> None:
    """Raise WeightsError on numbers that are not finite, and on an output table of its own where the model has none."""
    # A sum is finite only if every term is, and takes a tenth of the time of asking each.
    broken = [
        name for name, array in tensors.items() if array.dtype.kind == "f" and not isfinite(array.sum(dtype="f8"))
    ]
    if broken:
        raise WeightsError(
            f"{where}: {', '.join(broken)} hold numbers that are not finite (NaN or infinity); the training that "
            "wrote them had diverged, or the file is damaged. Restore an earlier checkpoint"
        )
    names = {canonical(name): name for name in tensors}
    if is_tied and TIED_TABLE in names and WORD_TABLE in names:
        output, words = tensors[names[TIED_TABLE]], tensors[names[WORD_TABLE]]
        if output.shape != words.shape or (output != words).any():
            raise WeightsError(
                f"{where}: {names[TIED_TABLE]} differs from {names[WORD_TABLE]}, but tie_word_embeddings makes them "
                "one. Pass tie_word_embeddings=False to load the two"
            )


def check_vocabulary(folder: Path, vocab_size: int) -> None:
    """Raise WeightsError where the folder's vocabulary has more tokens than the model."""
    path = folder / "vocab.txt"
    if path.is_file():
        with path.open("rb") as lines:
            tokens = sum(1 for line in lines if line.strip())
        if tokens > vocab_size:
            raise WeightsError(
                f"{path} has {tokens} tokens, but the model has vocab_size {vocab_size}: ids beyond it have no "
                "embedding. The vocabulary is another model's, or the model needs resize_token_embeddings"
            )
