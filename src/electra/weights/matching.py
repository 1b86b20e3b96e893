"""Which tensor of a file goes where in a model, and what to say when they do not fit.

Unusual here: loading is strict. Only the whole head of another task may be absent or surplus, and it is named; every
other difference is listed in one error with its likely cause.
"""

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from electra.errors import WeightsError, did_you_mean
from electra.weights.causes import ROLES, Cause, Evidence, Misfit, cause_of
from electra.weights.folders import NETWORKS
from electra.weights.names import TIED_TABLE, TOLERATED, WORD_TABLE, Shape, canonical, head_of

Array = Any  # numpy.ndarray
ROWS = 40  # of a table in a message; layers that fit alike share a row
NUMBER = re.compile(r"(?<=\.layer[./_])\d+(?=[./])")


class NewWeightsWarning(UserWarning):
    """A model was loaded from a file without its head: the named tensors are random and need training."""


@dataclass
class Match:
    """sources: the model's name -> the file's name. The next three list what does not fit, by name; evidence tells why."""

    sources: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: list[Misfit] = field(default_factory=list)
    evidence: Evidence = field(default_factory=lambda: Evidence({}, {}))


def match(found: Mapping[str, Shape], expected: Mapping[str, Shape], *, is_tied: bool) -> Match:
    """Pair the tensors of a file with those of a model, with or without the prefix `electra.` on either side.

    is_tied says that the model's output table is its word table: the file may then lack it.
    """
    in_file = {canonical(name): name for name in found}
    shapes = {name: found[source] for name, source in in_file.items()}
    result = Match(evidence=Evidence(shapes, {canonical(name): shape for name, shape in expected.items()}))
    for name, shape in expected.items():
        source = in_file.pop(canonical(name), None)
        if name == TIED_TABLE and is_tied:
            continue
        if source is None:
            result.missing.append(name)
        elif found[source] != shape:
            result.mismatched.append(Misfit(name, found[source], shape))
        else:
            result.sources[name] = source
    result.unexpected = [source for name, source in in_file.items() if not name.endswith(TOLERATED)]
    return result


def check(result: Match, where: Path, *, ignore_mismatched_sizes: bool = False) -> None:
    """Raise WeightsError with everything that does not fit, or warn of the head that starts at random."""
    absent = {head_of(name) for name in result.missing}
    present = {head_of(name) for name in [*result.sources, *(row.name for row in result.mismatched)]} - {None}
    lost = [name for name in result.missing if head_of(name) is None or head_of(name) in present]
    strange = [name for name in result.unexpected if head_of(canonical(name)) is None]
    misshapen = [] if ignore_mismatched_sizes else result.mismatched
    if lost or strange or misshapen:
        raise misfit_error(where, result, lost, strange, misshapen)
    random = [*result.missing, *(row.name for row in result.mismatched)]
    if random:
        surplus = sorted({head for name in result.unexpected if (head := head_of(name))})
        other = f" (it has {', '.join(surplus)} instead)" if surplus and absent else ""
        warnings.warn(
            f"{where} does not hold {', '.join(random)}{other}: they start at random and need training"
            f"{_advice(where, absent, surplus)}",
            NewWeightsWarning,
            stacklevel=4,
        )


def _advice(where: Path, absent: Iterable[str | None], surplus: Iterable[str]) -> str:
    """Where a discriminator is loaded as a generator, or the other way round: what its answers are, and what to load."""
    held = next((ROLES[head] for head in surplus if head in ROLES), None)
    wanted = next((ROLES[head] for head in ROLES if head in absent), None)
    if held is None or wanted is None:
        return ""
    beside = where.parent / wanted
    folder = f"{beside}" if beside.is_dir() else f"the {wanted}'s folder"
    answers = {"generator": "predicted tokens", "discriminator": "judgements of what was replaced"}[wanted]
    return (
        f". This is a {held}: until then its {answers} are noise. For {answers} load {folder}, in which that head is trained "
        f"({NETWORKS[wanted]})"
    )


def misfit_error(
    where: Path, result: Match, lost: Sequence[str], strange: Sequence[str], misshapen: Sequence[Misfit]
) -> WeightsError:
    """The error with a table of what does not fit, and the causes that explain it."""
    evidence = result.evidence
    rows = [Misfit(name, None, evidence.expected[canonical(name)]) for name in lost]
    rows += [Misfit(name, evidence.found[canonical(name)], None) for name in strange]
    rows += misshapen
    error = WeightsError(
        f"{where} does not fit the model, {len(rows)} tensor{'s' * (len(rows) > 1)} differ{'s' * (len(rows) == 1)}:\n"
        + "\n".join(_table(rows, evidence, lost))
    )
    error.misfits = rows
    return error


def _table(misfits: Sequence[Misfit], evidence: Evidence, lost: Sequence[str]) -> list[str]:
    """Aligned columns, a row for what several layers share, and under them each cause with its number."""
    causes: list[Cause] = []
    folded: dict[tuple[Any, ...], list[str]] = {}
    for row in misfits:
        cause = cause_of(row, evidence)
        if cause is not None and cause not in causes:
            causes.append(cause)
        mark = f"[{causes.index(cause) + 1}]" if cause else did_you_mean(row.name, lost).strip()
        sides = (
            "missing" if row.found is None else str(row.found),
            "unknown" if row.expected is None else str(row.expected),
        )
        folded.setdefault((NUMBER.sub("{}", row.name), *sides, mark), []).append(row.name)
    lines = [("tensor", "in the file", "in the model", "cause")]
    lines += [(_named(pattern, names), *cells) for (pattern, *cells), names in [*folded.items()][:ROWS]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  " + "  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    cut = sum(map(len, [*folded.values()][ROWS:]))
    if cut:
        table.append(f"  and {cut} tensors more, all of them in `misfits` of this error")
    for number, cause in enumerate(causes, start=1):
        sentence, remedy = cause.told(evidence)
        table += [f"[{number}] {sentence}", f"    {remedy}"]
    return table if causes else [*table, "Is config.json from another model?"]


def _named(pattern: str, names: Sequence[str]) -> str:
    """electra.encoder.layer.{0-2,5}.output.dense.bias, of the names of layers 0, 1, 2 and 5."""
    return pattern.replace("{}", ranges([int(found[0]) for name in names if (found := NUMBER.search(name))]), 1)


def ranges(numbers: Sequence[int]) -> str:
    """{0-2,5} of 0, 1, 2 and 5; a single number as it is."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    text = ",".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)
    return text if len(numbers) == 1 else f"{{{text}}}"


def fold(names: Iterable[str]) -> list[str]:
    """Names, those that differ in the layer alone as one."""
    folded: dict[str, list[str]] = {}
    for name in names:
        folded.setdefault(NUMBER.sub("{}", name), []).append(name)
    return [_named(pattern, found) for pattern, found in folded.items()]


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
    check_tied(tensors, where, is_tied=is_tied)


def check_tied(tensors: Mapping[str, Array], where: Path, *, is_tied: bool) -> None:
    """Raise WeightsError on an output table of its own where the model has none."""
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
