"""The four files of a saved tokenizer, written without the `tokenizers` package; `reading` reads any subset of them.

vocab.txt               one piece a line
tokenizer.json          the same with normalisation and layout, as the `tokenizers` package reads it
tokenizer_config.json   normalisation, special tokens, limits; what transformers looks at first
special_tokens_map.json role -> special token

The flags of added tokens stand in tokenizer.json and in tokenizer_config.json.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from electra.disk.replace import replace_together, settle
from electra.disk.space import write_error
from electra.errors import VocabularyError
from electra.tokenization.special import AddedToken, flags_of
from electra.tokenization.vocabulary import write_vocabulary
from electra.tokenization.wordpiece import CONTINUATION, MAX_WORD_CHARACTERS

FILES = ("vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
NORMALIZATION = {"do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True}
BERT_NORMALIZER = {
    "lowercase": "do_lower_case",
    "strip_accents": "strip_accents",
    "handle_chinese_chars": "tokenize_chinese_chars",
}


def effective(normalization: Mapping[str, bool | None]) -> dict[str, bool]:
    """The normalisation with strip_accents=None replaced by what it means: follow do_lower_case."""
    values = NORMALIZATION | dict(normalization)
    if values["strip_accents"] is None:
        values["strip_accents"] = values["do_lower_case"]
    return {key: bool(value) for key, value in values.items()}


def fingerprint(
    pieces: Sequence[str], normalization: Mapping[str, bool | None], added: Mapping[int, AddedToken] | None = None
) -> str:
    """sha256 over the pieces in order, the effective normalisation, and the flags of tokens found in other ways."""
    content: list[Any] = [list(pieces), effective(normalization)]
    if flags := [[i, flags_of(token)] for i, token in sorted((added or {}).items()) if not _is_plain(token)]:
        content.append(flags)
    return hashlib.sha256(json.dumps(content, ensure_ascii=True, sort_keys=True).encode("ascii")).hexdigest()


def check_normalization(path: Path, recorded: Mapping[str, bool | None], asked: Mapping[str, bool | None]) -> None:
    """Raise VocabularyError where a vocabulary is asked to work with another normalisation than it was trained with."""
    if not recorded or not asked:
        return
    trained, wanted = effective(recorded), effective({**recorded, **asked})
    different = [key for key in asked if trained[key] != wanted[key]]
    if different:
        was = ", ".join(f"{key}={trained[key]}" for key in different)
        now = ", ".join(f"{key}={wanted[key]}" for key in different)
        raise VocabularyError(
            f"{path}: this vocabulary was trained with {was}, but {now} was asked for. Texts would become other "
            "pieces than the model learned: leave the argument out, or train a vocabulary with this normalisation"
        )


# -- writing ----------------------------------------------------------------------------------------------------------


def tokenizer_json(
    vocabulary: Sequence[str],
    added: Mapping[int, AddedToken],
    roles: Mapping[str, str | None],
    normalization: Mapping[str, bool | None],
) -> dict[str, Any]:
    """The content of tokenizer.json; roles are those of unk_token, cls_token and sep_token."""
    ids = {piece: i for i, piece in enumerate(vocabulary)} | {token.content: i for i, token in added.items()}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, **_record(token)} for i, token in sorted(added.items())],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            **{theirs: normalization[ours] for theirs, ours in BERT_NORMALIZER.items()},
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": _template(roles["cls_token"], roles["sep_token"], ids),
        "decoder": {"type": "WordPiece", "prefix": CONTINUATION, "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": roles["unk_token"],
            "continuing_subword_prefix": CONTINUATION,
            "max_input_chars_per_word": MAX_WORD_CHARACTERS,
            "vocab": {piece: i for i, piece in enumerate(vocabulary)},
        },
    }


def _record(token: AddedToken) -> dict[str, Any]:
    return {"content": token.content, **flags_of(token)}


def _is_plain(token: AddedToken) -> bool:
    """Whether the token is as special tokens are."""
    return token == AddedToken(token.content, special=True)


def _template(cls: str | None, sep: str | None, ids: Mapping[str, int]) -> dict[str, Any] | None:
    if cls is None or sep is None:
        return None
    opening, closing = ({"SpecialToken": {"id": token, "type_id": 0}} for token in (cls, sep))
    first, second = ({"Sequence": {"id": name, "type_id": i}} for i, name in enumerate("AB"))
    return {
        "type": "TemplateProcessing",
        "single": [opening, first, closing],
        "pair": [opening, first, closing, second, {"SpecialToken": {"id": sep, "type_id": 1}}],
        "special_tokens": {token: {"id": token, "ids": [ids[token]], "tokens": [token]} for token in (cls, sep)},
    }


def tokenizer_config(
    added: Mapping[int, AddedToken],
    special_tokens: Mapping[str, Any],
    normalization: Mapping[str, bool | None],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """The content of tokenizer_config.json."""
    return {
        "added_tokens_decoder": {str(i): _record(token) for i, token in sorted(added.items())},
        **special_tokens,
        **normalization,
        **settings,
        "tokenizer_class": "ElectraTokenizer",
    }


def special_tokens_map(special_tokens: Mapping[str, Any]) -> dict[str, Any]:
    """The content of special_tokens_map.json: role -> token, with its flags where they are not those of its kind."""

    def stored(token: str | AddedToken) -> Any:
        return str(token) if isinstance(token, str) or _is_plain(token) else _record(token)

    return {
        role: [stored(token) for token in value] if isinstance(value, list) else stored(value)
        for role, value in special_tokens.items()
    }


def write_folder(folder: Path, vocabulary: Sequence[str], contents: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Write vocab.txt and the JSON files (name -> object), all of them or, with WriteError, none; the paths written."""
    try:
        with replace_together(folder) as stage:
            write_vocabulary(stage / "vocab.txt", vocabulary)
            for name, content in contents.items():
                text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
                (stage / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise write_error(folder, error) from error
    settle(folder)
    return [str(folder / name) for name in ("vocab.txt", *contents)]
