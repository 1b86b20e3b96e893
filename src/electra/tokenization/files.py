"""The four files of a saved tokenizer, written without the `tokenizers` package and read from any subset of them.

vocab.txt               one piece a line
tokenizer.json          the same with normalisation and layout, as the `tokenizers` package reads it
tokenizer_config.json   normalisation, special tokens, limits; what transformers looks at first
special_tokens_map.json role -> special token
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from electra.config import read_json_object
from electra.errors import DataError, VocabularyError
from electra.tokenization.special import ROLES
from electra.tokenization.vocabulary import read_vocabulary, write_vocabulary
from electra.tokenization.wordpiece import CONTINUATION, MAX_WORD_CHARACTERS

FILES = ("vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
NORMALIZATION = {"do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True}
_BERT_NORMALIZER = {
    "lowercase": "do_lower_case",
    "strip_accents": "strip_accents",
    "handle_chinese_chars": "tokenize_chinese_chars",
}


@dataclass
class Stored:
    """What a tokenizer folder says. `recorded` is the normalisation the vocabulary was trained with, where known."""

    vocabulary: list[str]
    recorded: dict[str, bool | None] = field(default_factory=dict)
    special_tokens: dict[str, str | None] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


def effective(normalization: Mapping[str, bool | None]) -> dict[str, bool]:
    """The normalisation with strip_accents=None replaced by what it means: follow do_lower_case."""
    values = NORMALIZATION | dict(normalization)
    if values["strip_accents"] is None:
        values["strip_accents"] = values["do_lower_case"]
    return {key: bool(value) for key, value in values.items()}


def fingerprint(pieces: Sequence[str], normalization: Mapping[str, bool | None]) -> str:
    """sha256 over the pieces in order and the effective normalisation."""
    content = json.dumps([list(pieces), effective(normalization)], ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(content.encode("ascii")).hexdigest()


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
    added: Sequence[tuple[int, str]],
    special_tokens: Mapping[str, str | None],
    normalization: Mapping[str, bool | None],
) -> dict[str, Any]:
    """The content of tokenizer.json; added holds (id, token) of all special tokens."""
    ids = {token: i for i, token in added}
    layout = {role: special_tokens.get(role) for role in ("cls_token", "sep_token")}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": token, **_FLAGS} for i, token in sorted(added)],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            **{theirs: normalization[ours] for theirs, ours in _BERT_NORMALIZER.items()},
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": _template(layout["cls_token"], layout["sep_token"], ids),
        "decoder": {"type": "WordPiece", "prefix": CONTINUATION, "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": special_tokens.get("unk_token"),
            "continuing_subword_prefix": CONTINUATION,
            "max_input_chars_per_word": MAX_WORD_CHARACTERS,
            "vocab": {piece: i for i, piece in enumerate(vocabulary)},
        },
    }


_FLAGS = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}


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
    added: Sequence[tuple[int, str]],
    special_tokens: Mapping[str, Any],
    normalization: Mapping[str, bool | None],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """The content of tokenizer_config.json."""
    return {
        "added_tokens_decoder": {str(i): {"content": token, **_FLAGS} for i, token in sorted(added)},
        **special_tokens,
        **normalization,
        **settings,
        "tokenizer_class": "ElectraTokenizer",
    }


def write_folder(folder: Path, vocabulary: Sequence[str], contents: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Write vocab.txt and the JSON files (name -> object); the paths written."""
    folder.mkdir(parents=True, exist_ok=True)
    write_vocabulary(folder / "vocab.txt", vocabulary)
    for name, content in contents.items():
        (folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return [str(folder / name) for name in ("vocab.txt", *contents)]


# -- reading ----------------------------------------------------------------------------------------------------------


def read_folder(path: Path) -> Stored:
    """What a tokenizer folder, a vocab.txt or a tokenizer.json says.

    Where they disagree, tokenizer_config.json wins. Raises VocabularyError where there is no vocabulary, or where
    vocab.txt and tokenizer.json hold different ones.
    """
    names = {name: path / name for name in FILES if (path / name).is_file()}
    if path.is_file():
        names = {"tokenizer.json" if path.suffix == ".json" else "vocab.txt": path}
    if not {"vocab.txt", "tokenizer.json"} & set(names):
        raise VocabularyError(f"{path}: no vocabulary here, expected vocab.txt or tokenizer.json")
    whole = read_json_object(names["tokenizer.json"]) if "tokenizer.json" in names else {}
    config = read_json_object(names["tokenizer_config.json"]) if "tokenizer_config.json" in names else {}
    roles = read_json_object(names["special_tokens_map.json"]) if "special_tokens_map.json" in names else {}
    special = _special_tokens({**roles, **{key: value for key, value in config.items() if key in _SPECIAL_KEYS}})
    recorded = _normalizer_of(whole) | {key: config[key] for key in NORMALIZATION if key in config}
    settings = {key: value for key, value in config.items() if key not in _SPECIAL_KEYS and key not in NORMALIZATION}
    required = [special.get(role, default) for role, default in DEFAULT_SPECIAL.items()]
    vocabulary = _vocabulary_of(whole, names) if whole else []
    if "vocab.txt" in names:
        listed = read_vocabulary(names["vocab.txt"], special_tokens=required)
        if whole and vocabulary != listed:
            raise VocabularyError(
                f"{path}: vocab.txt holds {len(listed)} pieces and tokenizer.json {len(vocabulary)}, and they differ; "
                "remove the one that does not belong to the model"
            )
        vocabulary = listed
    _check_added(path, [*vocabulary, *special.get("additional_special_tokens", [])], whole, config)
    return Stored(vocabulary, recorded, special, settings)


DEFAULT_SPECIAL = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
_SPECIAL_KEYS = (*ROLES, "additional_special_tokens", "extra_special_tokens")


def _check_added(path: Path, known: list[str], whole: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Raise DataError where the files hold tokens we would lose: added to the vocabulary, and not as special ones."""
    listed = {token["id"]: token["content"] for token in whole.get("added_tokens", [])}
    listed |= {int(i): token["content"] for i, token in config.get("added_tokens_decoder", {}).items()}
    ids = {token: i for i, token in enumerate(dict.fromkeys(known))}
    lost = [f"{token!r} (id {i})" for i, token in sorted(listed.items()) if ids.get(token) != i]
    if lost:
        raise DataError(
            f"{path}: tokens were added to this vocabulary that are not special: {', '.join(lost[:5])}. Put them into "
            "vocab.txt in place of [unused] pieces, or list them under additional_special_tokens"
        )


def _special_tokens(values: Mapping[str, Any]) -> dict[str, Any]:
    special: dict[str, Any] = {role: _content(values[role]) for role in ROLES if role in values}
    more = values.get("additional_special_tokens") or values.get("extra_special_tokens") or []
    if isinstance(more, list) and more:
        special["additional_special_tokens"] = [_content(token) for token in more]
    return special


def _content(token: Any) -> Any:
    return token["content"] if isinstance(token, dict) else token


def _normalizer_of(whole: Mapping[str, Any]) -> dict[str, bool | None]:
    normalizer = whole.get("normalizer") or {}
    if normalizer.get("type") != "BertNormalizer":
        return {}
    return {ours: normalizer[theirs] for theirs, ours in _BERT_NORMALIZER.items() if theirs in normalizer}


def _vocabulary_of(whole: Mapping[str, Any], names: Mapping[str, Path]) -> list[str]:
    model = whole.get("model") or {}
    if "vocab" not in model or model.get("type", "WordPiece") != "WordPiece":
        raise DataError(f"{names['tokenizer.json']}: holds a {model.get('type')} model, expected WordPiece")
    by_id = {i: piece for piece, i in model["vocab"].items()}
    if sorted(by_id) != list(range(len(by_id))):
        raise VocabularyError(f"{names['tokenizer.json']}: ids are not 0 to {len(by_id) - 1}, each once")
    return [by_id[i] for i in range(len(by_id))]
