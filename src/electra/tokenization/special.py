"""The special tokens of a tokenizer: what each role is called, which id it has, and how to find them in a text."""

import re
from collections.abc import Mapping

from electra.errors import UsageError

ROLES = ("unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


class SpecialTokens:
    """Names and ids of the special tokens; a base of the tokenizers. A role without a token is None."""

    unk_token: str | None
    sep_token: str | None
    pad_token: str | None
    cls_token: str | None
    mask_token: str | None
    additional_special_tokens: list[str]
    bos_token: None = None  # this model has neither
    eos_token: None = None
    _ids: Mapping[str, int]  # piece -> id

    def _id_of(self, token: str | None) -> int | None:
        return None if token is None else self._ids.get(token)

    @property
    def unk_token_id(self) -> int | None:
        """The id of the token for what the vocabulary cannot spell."""
        return self._id_of(self.unk_token)

    @property
    def sep_token_id(self) -> int | None:
        """The id of the token that ends a text."""
        return self._id_of(self.sep_token)

    @property
    def pad_token_id(self) -> int | None:
        """The id of the token that fills up rows."""
        return self._id_of(self.pad_token)

    @property
    def cls_token_id(self) -> int | None:
        """The id of the token that opens a row."""
        return self._id_of(self.cls_token)

    @property
    def mask_token_id(self) -> int | None:
        """The id of the token that hides another."""
        return self._id_of(self.mask_token)

    @property
    def pad_token_type_id(self) -> int:
        """The segment of padding."""
        return 0

    @property
    def special_tokens_map(self) -> dict[str, str | list[str]]:
        """Role -> token, without the roles that have none."""
        roles: dict[str, str | list[str]] = {
            role: getattr(self, role) for role in ROLES if getattr(self, role) is not None
        }
        if self.additional_special_tokens:
            roles["additional_special_tokens"] = list(self.additional_special_tokens)
        return roles

    @property
    def all_special_tokens(self) -> list[str]:
        """Every special token once."""
        named = [getattr(self, role) for role in ROLES]
        return list(dict.fromkeys(token for token in [*named, *self.additional_special_tokens] if token is not None))

    @property
    def all_special_ids(self) -> list[int]:
        """The ids of `all_special_tokens`."""
        return [self._ids[token] for token in self.all_special_tokens]

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """How many special tokens a row of one text, or of two, gets."""
        return len(self.build_inputs_with_special_tokens([], [] if pair else None))

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """[CLS] A [SEP], or [CLS] A [SEP] B [SEP]."""
        cls = [] if self.cls_token is None else [self._ids[self.cls_token]]
        sep = [] if self.sep_token is None else [self._ids[self.sep_token]]
        return [*cls, *token_ids_0, *sep] + ([] if token_ids_1 is None else [*token_ids_1, *sep])

    def create_token_type_ids_from_sequences(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """0 for [CLS] A [SEP], 1 for B [SEP]."""
        first = len(self.build_inputs_with_special_tokens(token_ids_0))
        both = len(self.build_inputs_with_special_tokens(token_ids_0, token_ids_1))
        return [0] * first + [1] * (both - first)

    def get_special_tokens_mask(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None, already_has_special_tokens: bool = False
    ) -> list[int]:
        """1 where a special token stands or would be put."""
        if already_has_special_tokens:
            if token_ids_1 is not None:
                raise UsageError("ids that already have special tokens are one row; leave token_ids_1 out")
            special = set(self.all_special_ids)
            return [int(i in special) for i in token_ids_0]
        plain = [0] * len(token_ids_0), None if token_ids_1 is None else [0] * len(token_ids_1)
        marked = self.build_inputs_with_special_tokens(
            [-1] * len(plain[0]), None if plain[1] is None else [-1] * len(plain[1])
        )
        return [int(i >= 0) for i in marked]


def split_at(tokens: list[str], text: str) -> list[str]:
    """The text cut around every occurrence of one of `tokens`; the longest wins where two start at one place."""
    if not tokens or not any(token in text for token in tokens):
        return [text]
    longest_first = sorted(tokens, key=len, reverse=True)
    return [part for part in re.split(f"({'|'.join(map(re.escape, longest_first))})", text) if part]
