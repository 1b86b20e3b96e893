"""What a special or added token is, and how a tokenizer's attributes (`mask_token`, `mask_token_id`) name it."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from electra.tokenization.inputs import InputTypeError

if TYPE_CHECKING:
    from electra.tokenization.added import AddedTokens

ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


class RoleError(InputTypeError, AssertionError):
    """What cannot be a token, or not have the role it was given."""


@dataclass(frozen=True)
class AddedToken:
    """A token that stays whole wherever a text holds it.

    single_word     found only as a word of its own
    lstrip, rstrip  takes the white space on its left, on its right
    normalized      looked for in the normalised text, so that case and accents do not matter; None: unless special
    special         left out by skip_special_tokens
    """

    content: str
    single_word: bool = False
    lstrip: bool = False
    rstrip: bool = False
    normalized: bool | None = None
    special: bool = False

    def __post_init__(self) -> None:
        if self.normalized is None:
            object.__setattr__(self, "normalized", not self.special)

    def __str__(self) -> str:
        return self.content


FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


def flags_of(token: AddedToken) -> dict[str, bool]:
    """The flags of a token by name."""
    return {name: getattr(token, name) for name in FLAGS}


def as_token(token: Any) -> str | AddedToken:
    """A string, or an AddedToken of ours or of another library as ours. Raises RoleError on anything else."""
    if isinstance(token, (str, AddedToken)):
        return token
    if not all(hasattr(token, name) for name in ("content", *FLAGS)):
        raise RoleError(f"token {token!r} is a {type(token).__name__}, expected a string or an AddedToken")
    return AddedToken(token.content, **{name: getattr(token, name) for name in FLAGS})


class Role:
    """The special token that has a role: read as a string, set as a string or an AddedToken; None where none has it."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._role = name

    def __get__(self, tokenizer: "AddedTokens", owner: type | None = None) -> str | None:
        token = tokenizer._roles.get(self._role)
        return None if token is None else str(token)

    def __set__(self, tokenizer: "AddedTokens", token: Any) -> None:
        tokenizer._roles[self._role] = None if token is None else as_token(token)
        tokenizer._forget()


class RoleId:
    """The id of the special token that has a role; setting it gives the role to the token with that id."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._role = name.removesuffix("_id")

    def __get__(self, tokenizer: "AddedTokens", owner: type | None = None) -> int | None:
        token = getattr(tokenizer, self._role)
        return None if token is None else tokenizer._id_of(token)

    def __set__(self, tokenizer: "AddedTokens", index: int | None) -> None:
        setattr(tokenizer, self._role, None if index is None else tokenizer._pieces[index])


def as_special(token: str | AddedToken) -> AddedToken:
    """The token marked as special, and then looked for as it is written."""
    if isinstance(token, str):
        return AddedToken(token, special=True)
    return token if token.special else replace(token, special=True, normalized=False)
