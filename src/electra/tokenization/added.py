"""Tokens beside the vocabulary: special tokens and tokens added later. They are found in a text before words are.

A token the vocabulary already holds keeps its id; others get the ids behind the vocabulary, in the order of adding.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from electra.errors import UsageError, VocabularyError, did_you_mean
from electra.tokenization.special import ROLES, AddedToken, Role, RoleError, RoleId, as_special, as_token


class AddedTokens(ABC):
    """The pieces of a tokenizer and the tokens beside them; a base of the tokenizers."""

    bos_token, bos_token_id = Role(), RoleId()  # this model uses neither of the first two
    eos_token, eos_token_id = Role(), RoleId()
    unk_token, unk_token_id = Role(), RoleId()
    sep_token, sep_token_id = Role(), RoleId()
    pad_token, pad_token_id = Role(), RoleId()
    cls_token, cls_token_id = Role(), RoleId()
    mask_token, mask_token_id = Role(), RoleId()
    _additional: list[str | AddedToken]

    def __init__(
        self,
        vocabulary: Sequence[str],
        special_tokens: Mapping[str, Any],
        additional_special_tokens: Sequence[Any],
        added: Mapping[int, AddedToken],
    ) -> None:
        self._roles: dict[str, str | AddedToken | None] = {}
        for role, token in special_tokens.items():
            setattr(self, role, token)
        self.additional_special_tokens = additional_special_tokens
        self._vocabulary = list(vocabulary)
        self._vocabulary_set = frozenset(vocabulary)
        self._pieces = list(vocabulary)  # the vocabulary, then tokens added to it
        self._ids = {piece: i for i, piece in enumerate(vocabulary)}
        self._added: dict[int, AddedToken] = {}
        for index, token in sorted(added.items()):
            self._restore(index, token)
        self._add([token for token in self.all_special_tokens_extended if not self._is_added(str(token))], special=True)

    # -- the vocabulary -----------------------------------------------------------------------------------------------

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
        """Piece -> id, added tokens too."""
        return dict(self._ids)

    @property
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        """Id -> token, for special tokens and tokens added, in order of ids."""
        return dict(sorted(self._added.items()))

    @property
    def added_tokens_encoder(self) -> dict[str, int]:
        """Token -> id, for special tokens and tokens added, in order of ids."""
        return {token.content: index for index, token in sorted(self._added.items())}

    def get_added_vocab(self) -> dict[str, int]:
        """The same as `added_tokens_encoder`."""
        return self.added_tokens_encoder

    def _is_added(self, content: str) -> bool:
        return self._ids.get(content) in self._added

    def _id_of(self, token: str) -> int:
        """The id of a piece, or of the unknown token."""
        if token in self._ids:
            return self._ids[token]
        if self.unk_token not in self._ids:
            raise UsageError(f"{token!r} is not in the vocabulary, and this tokenizer has no unk_token in its place")
        return self._ids[self.unk_token]

    # -- adding -------------------------------------------------------------------------------------------------------

    @abstractmethod
    def _add(self, tokens: Sequence[str | AddedToken], *, special: bool) -> int:
        """Add tokens; how many, as this kind of tokenizer counts them."""

    @abstractmethod
    def _forget(self) -> None:
        """Drop what was derived from the special and added tokens."""

    def _put(self, token: AddedToken) -> bool:
        """Note a token; whether it needed a new id."""
        is_new = token.content not in self._ids
        if is_new:
            self._ids[token.content] = len(self._pieces)
            self._pieces.append(token.content)
        self._added[self._ids[token.content]] = token
        self._forget()
        return is_new

    def _restore(self, index: int, token: AddedToken) -> None:
        found = self._ids.get(token.content, len(self._pieces))
        if found != index:
            raise VocabularyError(
                f"added token {token.content!r} has id {index}, but its place is {found}: the vocabulary ends at "
                f"{len(self._vocabulary) - 1} and added tokens follow without gaps. Do the files belong together?"
            )
        self._put(token)

    def add_tokens(self, new_tokens: Any, special_tokens: bool = False) -> int:
        """Add a token or a list of them, strings or AddedTokens; how many were added.

        The fast tokenizer also counts tokens the vocabulary held already, as Hugging Face's. A model needs a row of
        its embeddings for each new id: model.resize_token_embeddings(len(tokenizer)).
        """
        tokens = list(new_tokens) if isinstance(new_tokens, (list, tuple)) else [new_tokens]
        return self._add([as_token(token) for token in tokens if token is not None], special=special_tokens)

    def add_special_tokens(
        self, special_tokens_dict: Mapping[str, Any], replace_additional_special_tokens: bool = True
    ) -> int:
        """Give roles to tokens and add them: {"mask_token": "<mask>", "additional_special_tokens": ["<left>"]}.

        replace_additional_special_tokens  False: the list is extended
        Returns how many tokens were added. Raises RoleError (an AssertionError) on an unknown role.
        """
        tokens: list[AddedToken] = []
        for role, value in special_tokens_dict.items():
            if role == "additional_special_tokens":
                tokens += self._more_special_tokens(value, replace_additional_special_tokens)
            elif role in ROLES:
                tokens.append(as_special(as_token(value)))
                setattr(self, role, tokens[-1])
            else:
                known = (*ROLES, "additional_special_tokens")
                raise RoleError(f"{role} is no role of a special token{did_you_mean(role, known)}: {', '.join(known)}")
        return self._add(tokens, special=True)

    def _more_special_tokens(self, value: Any, replaces: bool) -> list[AddedToken]:
        if not isinstance(value, (list, tuple)):
            raise RoleError(f"additional_special_tokens is {value!r}, expected a list of strings or AddedTokens")
        tokens = [as_special(as_token(token)) for token in value]
        if replaces and tokens:
            self._additional = list(tokens)
        else:
            tokens = [token for token in tokens if token.content not in self.additional_special_tokens]
            self._additional += tokens
        return tokens

    # -- special tokens -----------------------------------------------------------------------------------------------

    @property
    def additional_special_tokens(self) -> list[str]:
        """The special tokens without a role."""
        return [str(token) for token in self._additional]

    @additional_special_tokens.setter
    def additional_special_tokens(self, tokens: Sequence[Any]) -> None:
        self._additional = [as_token(token) for token in tokens]
        self._forget()

    @property
    def additional_special_tokens_ids(self) -> list[int]:
        """The ids of `additional_special_tokens`."""
        return [self._id_of(token) for token in self.additional_special_tokens]

    @property
    def special_tokens_map_extended(self) -> dict[str, str | AddedToken | list[str | AddedToken]]:
        """Role -> token as it was given, without the roles that have none."""
        given: dict[str, str | AddedToken | list[str | AddedToken]] = {}
        for role in ROLES:
            if (token := self._roles.get(role)) is not None:
                given[role] = token
        if self._additional:
            given["additional_special_tokens"] = list(self._additional)
        return given

    @property
    def special_tokens_map(self) -> dict[str, str | list[str]]:
        """Role -> token as a string, without the roles that have none."""
        return {
            role: [str(token) for token in value] if isinstance(value, list) else str(value)
            for role, value in self.special_tokens_map_extended.items()
        }

    @property
    def all_special_tokens_extended(self) -> list[str | AddedToken]:
        """Every special token once, as it was given."""
        unique: dict[str, str | AddedToken] = {}
        for token in [*(self._roles.get(role) for role in ROLES), *self._additional]:
            if token is not None:
                unique.setdefault(str(token), token)
        return list(unique.values())

    @property
    def all_special_tokens(self) -> list[str]:
        """Every special token once."""
        return [str(token) for token in self.all_special_tokens_extended]

    @property
    def all_special_ids(self) -> list[int]:
        """The ids of `all_special_tokens`."""
        return [self._id_of(token) for token in self.all_special_tokens]
