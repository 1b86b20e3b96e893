"""Loading a tokenizer by the name others use."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from electra.tokenization.base import Tokenizer

if TYPE_CHECKING:
    from electra.tokenization.fast import ElectraTokenizerFast


class AutoTokenizer:
    """`AutoTokenizer.from_pretrained(folder)`: the fast tokenizer, or the slow one with use_fast=False."""

    @classmethod
    def from_pretrained(cls, source: str | Path, *, use_fast: bool = True, **changes: Any) -> Tokenizer:
        """The tokenizer of a model folder; arguments as ElectraTokenizerFast.from_pretrained."""
        if use_fast:
            return load_tokenizer(source, **changes)
        from electra.tokenization.slow import ElectraTokenizer

        return ElectraTokenizer.from_pretrained(source, **changes)


def load_tokenizer(source: str | Path, **changes: Any) -> "ElectraTokenizerFast":
    """The fast tokenizer of a folder, a vocab.txt or a tokenizer.json."""
    from electra.tokenization.fast import ElectraTokenizerFast

    return ElectraTokenizerFast.from_pretrained(source, **changes)
