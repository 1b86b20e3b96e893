"""Vocabulary files: one piece a line, the line number is the id. Read with every problem named, written as read.

Training a vocabulary is `electra.tokenization.training`; its name is offered here too, where users look for it.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from electra.disk.replace import write_atomically
from electra.errors import VocabularyError

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")  # ids 0 to 4 of the vocabularies we train
SHOWN = 5  # line numbers named per problem

_HINT = "make one with `electra vocab`, or restore the file from a good copy"


def read_vocabulary(path: str | Path, *, special_tokens: Iterable[str] = SPECIAL_TOKENS) -> list[str]:
    """The pieces of a vocabulary file, in order of their ids.

    Raises VocabularyError that names every problem with its line numbers: bytes that are not UTF-8, Windows line ends,
    empty lines, duplicates, white space around a piece, special tokens that are missing.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise VocabularyError(f"{path}: cannot read the vocabulary ({error.strerror}); {_HINT}") from None
    lines = raw.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    pieces, problems = _decode(lines)
    problems += find_problems(pieces, special_tokens=special_tokens)
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise VocabularyError(
            f"{path}: {len(problems)} problem{'s' * (len(problems) > 1)} in the vocabulary; {_HINT}:\n{listed}"
        )
    return pieces


def pieces_of(source: str | Path | Sequence[str]) -> list[str]:
    """The pieces of a vocabulary file, or those given as a list; special tokens may be missing."""
    return read_vocabulary(source, special_tokens=[]) if isinstance(source, (str, Path)) else list(source)


def write_vocabulary(path: str | Path, pieces: Sequence[str]) -> None:
    """Write one piece a line, UTF-8, Unix line ends. Raises WriteError with an old file untouched."""
    text = "".join(f"{piece}\n" for piece in pieces)
    write_atomically(Path(path), lambda file: file.write(text.encode("utf-8")))


def find_problems(pieces: Sequence[str], *, special_tokens: Iterable[str] = SPECIAL_TOKENS) -> list[str]:
    """What is wrong with a list of pieces, in words with line numbers (the first line is 1)."""
    problems = []
    if empty := [i for i, piece in enumerate(pieces, 1) if not piece.strip()]:
        problems.append(f"{_lines(empty)}: empty, expected one piece a line")
    if padded := [i for i, piece in enumerate(pieces, 1) if piece.strip() and piece != piece.strip(" \t")]:
        problems.append(f"{_lines(padded)}: white space around the piece")
    problems += _duplicates(pieces)
    known = set(pieces)
    if missing := [token for token in special_tokens if token not in known]:
        problems.append(f"special tokens missing: {', '.join(missing)}")
    return problems


def _decode(lines: list[bytes]) -> tuple[list[str], list[str]]:
    pieces, problems = [], []
    if lines and lines[0].startswith(b"\xef\xbb\xbf"):
        problems.append("line 1: starts with a byte order mark; save the file as UTF-8 without one")
        lines[0] = lines[0][3:]
    if windows := [i for i, line in enumerate(lines, 1) if line.endswith(b"\r")]:
        problems.append(f"{_lines(windows)}: Windows line ends (CRLF), expected LF")
        lines = [line.removesuffix(b"\r") for line in lines]
    for number, line in enumerate(lines, 1):
        try:
            pieces.append(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            problems.append(f"line {number}: not UTF-8 (byte 0x{line[error.start]:02x} at column {error.start + 1})")
            pieces.append(f"<bytes of line {number}>")
    if len(problems) > 4 * SHOWN:
        problems[4 * SHOWN :] = [f"and {len(problems) - 4 * SHOWN} more lines that are not UTF-8"]
    return pieces, problems


def _duplicates(pieces: Sequence[str]) -> list[str]:
    first: dict[str, int] = {}
    found: dict[str, list[int]] = {}
    for number, piece in enumerate(pieces, 1):
        if piece in first and piece.strip():
            found.setdefault(piece, [first[piece]]).append(number)
        first.setdefault(piece, number)
    listed = [f'"{piece}" stands on {_lines(numbers)}, expected once' for piece, numbers in found.items()]
    more = len(listed) - 4 * SHOWN
    return listed if more <= 0 else [*listed[: 4 * SHOWN], f"and {more} more duplicates"]


def _lines(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:SHOWN]))
    more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    return f"line{'s' * (len(numbers) > 1)} {shown}{more}"


def __getattr__(name: str) -> Any:
    if name == "train_vocabulary":
        from electra.tokenization.training import train_vocabulary

        return train_vocabulary
    raise AttributeError(f"module 'electra.tokenization.vocabulary' has no attribute {name!r}")
