"""The special tokens of a tokenizer: what each role is called, which id it has, and how to find them in a text."""

import re
from collections.abc import Mapping

ROLES = ("unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


class SpecialTokens:
    """Names and ids of the special tokens; a base of the tokenizers. A role without a token is None."""

    unk_token: str | None
    sep_token: str | None
    pad_token: str | None
    cls_token: str | None
    mask_token: str | None
    additional_special_tokens: list[str]
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


def split_at(tokens: list[str], text: str) -> list[str]:
    """The text cut around every occurrence of one of `tokens`; the longest wins where two start at one place."""
    if not tokens or not any(token in text for token in tokens):
        return [text]
    longest_first = sorted(tokens, key=len, reverse=True)
    return [part for part in re.split(f"({'|'.join(map(re.escape, longest_first))})", text) if part]
