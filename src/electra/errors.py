"""Every error of this library: one small tree, each class with the exit code the command line ends with.

A message says what was found, what was expected, where, and what to do. Classes also derive from the builtin that
callers of similar libraries already catch (ValueError, IndexError, OSError, ImportError).
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class ElectraError(Exception):
    """Base of all our errors. Raised itself only for a fault of ours (exit code 70)."""

    exit_code = 70


class UsageError(ElectraError, ValueError):
    """The request itself is wrong: an unknown command, option or combination."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration with one or more bad values; the message lists them all."""


class MissingDependencyError(UsageError, ImportError):
    """An optional package is needed; the message carries the install command."""


class DataError(ElectraError, ValueError):
    """A file or an input that cannot be used as it is: corpus, vocabulary, weights, ids."""

    exit_code = 65


class VocabularyError(DataError):
    """A vocabulary file breaks a rule; the message gives its line numbers."""


class CorpusError(DataError):
    """Text that yields no corpus, or a prepared corpus that is damaged or does not fit the model."""


class WeightsError(DataError, RuntimeError):
    """Weights that do not fit the model: a table of them; `misfits` has (name, shape in the file, in the model) of all."""

    misfits: Sequence[tuple[str, tuple[int, ...] | None, tuple[int, ...] | None]] = ()


class InputError(DataError, IndexError, RuntimeError):
    """Token ids, lengths or masks that the model cannot take; the message names the place and the limit."""


class FrozenRunError(DataError):
    """A run cannot continue because its data, vocabulary or configuration changed; the message is the difference."""


class RunFailedError(ElectraError):
    """A run that started well and then failed, such as a loss that is not finite."""

    exit_code = 1


class WriteError(ElectraError, OSError):
    """Something could not be written; what was there before is untouched."""

    exit_code = 73


class DiskFullError(WriteError):
    """The disk has no room; what was there before is untouched, and with room the same command goes on."""

    exit_code = 75


class TryAgainError(ElectraError):
    """The same command may succeed later: it was preempted, or another process holds the folder."""

    exit_code = 75


class UnfinishedError(TryAgainError):
    """Shards of a corpus are missing; `shards` names them, such as "3/16"."""

    shards: Sequence[str] = ()


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """' (did you mean "x"?)' for the nearest known word, or the empty string."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f' (did you mean "{near[0]}"?)' if near else ""


def install_hint(package: str, extra: str, purpose: str) -> MissingDependencyError:
    """The error for an optional package that is not installed."""
    return MissingDependencyError(f"{purpose} needs {package}, which is not installed: pip install 'electra[{extra}]'")
