"""From ids to pieces to text, and back to ids. Spacing is a guess: the original's spaces, case and accents are gone."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from electra.errors import UsageError
from electra.tokenization.inputs import InputTypeError
from electra.tokenization.special import SpecialTokens

# Applied in this order. From Hugging Face's tokenizers, whose decoded texts ours equal.
SPACING = (
    (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"),
    (" n't", "n't"), (" 'm", "'m"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
)  # fmt: skip


def join_pieces(pieces: Sequence[str]) -> str:
    """Pieces to text: a space before each, except before those that continue a word."""
    return " ".join(pieces).replace(" ##", "").strip()


def clean_up_spaces(text: str) -> str:
    """No space before punctuation and English contractions."""
    for old, new in SPACING:
        text = text.replace(old, new)
    return text


class Decoding(SpecialTokens, ABC):
    """The vocabulary, converting and decoding; a base of the tokenizers."""

    clean_up_tokenization_spaces: bool
    _vocabulary: list[str]
    _pieces: list[str]  # the vocabulary, then tokens added to it

    @property
    def vocab_size(self) -> int:
        """The number of pieces in the vocabulary, without tokens added to it."""
        return len(self._vocabulary)

    def __len__(self) -> int:
        return len(self._pieces)

    @property
    def vocab(self) -> dict[str, int]:
        """The same as `get_vocab()`."""
        return self.get_vocab()

    def get_vocab(self) -> dict[str, int]:
        """Piece -> id."""
        return dict(self._ids)

    def get_added_vocab(self) -> dict[str, int]:
        """Special tokens and tokens added to the vocabulary, with their ids."""
        return {token: self._ids[token] for token in self.all_special_tokens}

    @abstractmethod
    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """Join pieces to a text."""

    @property
    def _unknown_id(self) -> int:
        if self.unk_token is None:
            raise UsageError("the text has pieces the vocabulary does not hold, and this tokenizer has no unk_token")
        return self._ids[self.unk_token]

    def _piece(self, index: int) -> str | None:
        """The piece with an id; the unknown token for ids beyond the vocabulary."""
        return self._pieces[index] if 0 <= index < len(self._pieces) else self.unk_token

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """The id of a piece, or of each; the unknown token's where the vocabulary lacks it."""
        if tokens is None:
            return None
        if isinstance(tokens, str):
            found = self._ids.get(tokens)
            return self._unknown_id if found is None else found
        return [self.convert_tokens_to_ids(token) for token in tokens]

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        """The piece of an id, or of each; an array of ids is fine."""
        if hasattr(ids, "tolist"):
            ids = ids.tolist()
        if isinstance(ids, int):
            return self._piece(ids)
        skipped = set(self.all_special_ids) if skip_special_tokens else set()
        return [self._piece(int(index)) for index in ids if int(index) not in skipped]

    def decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
    ) -> str:
        """The text of ids: a list, an array or a tensor of one row. Ids the vocabulary does not hold are left out."""
        if hasattr(token_ids, "tolist"):
            token_ids = token_ids.tolist()
        if isinstance(token_ids, str):
            raise InputTypeError(f"token_ids is the string {token_ids!r}, expected ids")
        ids = [token_ids] if isinstance(token_ids, int) else token_ids
        tokens = self.convert_ids_to_tokens(ids, skip_special_tokens)
        text = self.convert_tokens_to_string([token for token in tokens if token is not None])
        clean = (
            self.clean_up_tokenization_spaces if clean_up_tokenization_spaces is None else clean_up_tokenization_spaces
        )
        return clean_up_spaces(text) if clean else text

    def batch_decode(
        self,
        sequences: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
    ) -> list[str]:
        """The text of every row."""
        return [self.decode(ids, skip_special_tokens, clean_up_tokenization_spaces) for ids in sequences]

    @staticmethod
    def clean_up_tokenization(out_string: str) -> str:
        """No space before punctuation and English contractions."""
        return clean_up_spaces(out_string)
