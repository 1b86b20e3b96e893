"""Which tensor of a file goes where in a model, and what to say when they do not fit.

Unusual here: loading is strict. Only the whole head of another task may be absent or surplus, and it is named; every
other difference is listed in one error with its likely cause.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from electra.errors import WeightsError, did_you_mean
from electra.weights.names import TIED_TABLE, TOLERATED, WORD_TABLE, Shape, canonical, head_of


class NewWeightsWarning(UserWarning):
    """A model was loaded from a file without its head: the named tensors are random and need training."""


@dataclass
class Match:
    """sources: the model's name -> the file's name. The other three list what does not fit, by name."""

    sources: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: list[tuple[str, Shape, Shape]] = field(default_factory=list)  # name, file's shape, model's shape


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


def _explain(
    where: Path, result: Match, lost: list[str], strange: list[str], misshapen: list[tuple[str, Shape, Shape]]
) -> str:
    lines = [f"  - {name} is missing" for name in lost]
    lines += [f"  - {name} is unknown{did_you_mean(name, lost)}" for name in strange]
    lines += [f"  - {name} has shape {found} in the file, {wanted} in the model" for name, found, wanted in misshapen]
    cause = _likely_cause(result, lost, strange, misshapen)
    return f"{where} does not fit the model, {len(lines)} tensors differ:\n" + "\n".join(lines) + f"\n{cause}"


def _likely_cause(result: Match, lost: list[str], strange: list[str], misshapen: list[tuple[str, Shape, Shape]]) -> str:
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
        return "Likely cause: config.json and weights are of different sizes; one may be a generator's, the other a discriminator's."
    if any(".encoder.layer." in name for name in lost + strange):
        return "Likely cause: another num_hidden_layers, or layers of another kind; is config.json from another model?"
    if shapes and all(head_of(name) for name in shapes):
        return "Likely cause: another number of labels; set num_labels, or pass ignore_mismatched_sizes=True for a new head."
    return "Is config.json from another model?"
