"""From ids to pieces to text, and back to ids. Spacing is a guess: the original's spaces, case and accents are gone."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from electra.tokenization.added import AddedTokens
from electra.tokenization.inputs import as_ids, plain

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


class Decoding(AddedTokens):
    """Converting and decoding; a base of the tokenizers."""

    clean_up_tokenization_spaces: bool

    @abstractmethod
    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """Join pieces to a text."""

    @abstractmethod
    def _text_of(self, tokens: Sequence[str], spaces_between_special_tokens: bool) -> str:
        """Join pieces and added tokens to a text."""

    def _piece(self, index: int) -> str | None:
        """The piece with an id; the unknown token for ids beyond the vocabulary."""
        return self._pieces[index] if 0 <= index < len(self._pieces) else self.unk_token

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """The id of a piece, or of each; the unknown token's where the vocabulary lacks it."""
        if tokens is None:
            return None
        if isinstance(tokens, str):
            return self._id_of(tokens)
        return [self.convert_tokens_to_ids(token) for token in tokens]

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        """The piece of an id, or of each; an array of ids is fine."""
        ids = plain(ids)
        if isinstance(ids, int):
            return self._piece(ids)
        skipped = set(self.all_special_ids) if skip_special_tokens else set()
        return [self._piece(index) for index in as_ids(ids) if index not in skipped]

    def decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        spaces_between_special_tokens: bool = True,
    ) -> str:
        """The text of ids: a list, an array or a tensor of one row. Ids the vocabulary does not hold are left out.

        clean_up_tokenization_spaces   no space before punctuation; None: as the tokenizer was made
        spaces_between_special_tokens  False: the slow tokenizer puts no spaces around added tokens
        """
        tokens = self._shown(plain(token_ids), skip_special_tokens)
        text = self._text_of(tokens, spaces_between_special_tokens)
        asked = clean_up_tokenization_spaces
        return clean_up_spaces(text) if (self.clean_up_tokenization_spaces if asked is None else asked) else text

    def _shown(self, ids: Any, skip_special_tokens: bool) -> list[str]:
        """The pieces a decoded text is made of; ids may be a single one."""
        skipped = self._skipped_ids() if skip_special_tokens else set()
        listed = [ids] if isinstance(ids, int) else as_ids(ids)
        pieces = [self._piece(index) for index in listed if index not in skipped]
        return [piece for piece in pieces if piece is not None]

    def _skipped_ids(self) -> set[int]:
        """The ids that skip_special_tokens leaves out of a text."""
        return set(self.all_special_ids)

    def batch_decode(self, sequences: Any, *args: Any, **options: Any) -> list[str]:
        """The text of every row; options as those of `decode`."""
        return [self.decode(ids, *args, **options) for ids in sequences]

    @staticmethod
    def clean_up_tokenization(out_string: str) -> str:
        """No space before punctuation and English contractions."""
        return clean_up_spaces(out_string)
