"""Reading a saved tokenizer: any subset of the files that this library, transformers 4 and transformers 5 write.

Besides the four files of `files`, old versions of transformers wrote added_tokens.json (token -> id); it is read too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from electra.config import read_json_object
from electra.disk.replace import settle
from electra.errors import DataError, VocabularyError
from electra.tokenization.files import BERT_NORMALIZER, FILES, NORMALIZATION
from electra.tokenization.special import FLAGS, ROLES, AddedToken
from electra.tokenization.vocabulary import read_vocabulary

ADDED = "added_tokens.json"
_SPECIAL_KEYS = (*ROLES, "additional_special_tokens", "extra_special_tokens")

Json = dict[str, Any]


@dataclass
class Stored:
    """What a tokenizer folder says. `recorded` is the normalisation the vocabulary was trained with, where known."""

    vocabulary: list[str]
    recorded: dict[str, bool | None] = field(default_factory=dict)
    special_tokens: dict[str, Any] = field(default_factory=dict)  # role -> token
    added: dict[int, AddedToken] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


def read_folder(path: Path) -> Stored:
    """What a tokenizer folder, a vocab.txt or a tokenizer.json says.

    Where they disagree, tokenizer_config.json wins. Raises VocabularyError where there is no vocabulary, or where
    vocab.txt and tokenizer.json hold different ones.
    """
    settle(path)
    names = {name: path / name for name in (*FILES, ADDED) if (path / name).is_file()}
    if path.is_file():
        names = {"tokenizer.json" if path.suffix == ".json" else "vocab.txt": path}
    if not {"vocab.txt", "tokenizer.json"} & set(names):
        raise VocabularyError(f"{path}: no vocabulary here, expected vocab.txt or tokenizer.json")
    whole, config, roles, ids = (read_json_object(names[name]) if name in names else {} for name in (*FILES[1:], ADDED))
    named = {**roles, **{key: value for key, value in config.items() if key in _SPECIAL_KEYS}}
    added = _added_tokens(whole, config, ids, named)
    recorded = normalizer_of(whole) | {key: config[key] for key in NORMALIZATION if key in config}
    for key, value in recorded.items():
        if not isinstance(value, bool) and (value is not None or key != "strip_accents"):
            raise VocabularyError(
                f"{path}: {key} is {value!r}, expected true or false; restore the file from a good copy"
            )
    return Stored(
        vocabulary=_vocabulary(path, whole, names),
        recorded=recorded,
        special_tokens=_special_tokens({**roles, **named}, {token.content: token for token in added.values()}),
        added=added,
        settings={k: value for k, value in config.items() if k not in _SPECIAL_KEYS and k not in NORMALIZATION},
    )


def _vocabulary(path: Path, whole: Json, names: Mapping[str, Path]) -> list[str]:
    held = _vocabulary_of(whole, names["tokenizer.json"]) if whole else []
    if "vocab.txt" not in names:
        return held
    listed = read_vocabulary(names["vocab.txt"], special_tokens=[])
    if whole and held != listed:
        raise VocabularyError(
            f"{path}: vocab.txt holds {len(listed)} pieces and tokenizer.json {len(held)}, and they differ; "
            "remove the one that does not belong to the model"
        )
    return listed


def _vocabulary_of(whole: Json, path: Path) -> list[str]:
    model = whole.get("model") or {}
    if "vocab" not in model or model.get("type", "WordPiece") != "WordPiece":
        raise DataError(f"{path}: holds a {model.get('type')} model, expected WordPiece")
    by_id = {i: piece for piece, i in model["vocab"].items()}
    if sorted(by_id) != list(range(len(by_id))):
        raise VocabularyError(f"{path}: ids are not 0 to {len(by_id) - 1}, each once")
    return [by_id[i] for i in range(len(by_id))]


def normalizer_of(whole: Json) -> dict[str, bool | None]:
    """The normalisation that the content of a tokenizer.json states; empty where it is not BERT's."""
    normalizer = whole.get("normalizer") or {}
    if normalizer.get("type") != "BertNormalizer":
        return {}
    return {ours: normalizer[theirs] for theirs, ours in BERT_NORMALIZER.items() if theirs in normalizer}


def _added_tokens(whole: Json, config: Json, ids: Json, named: Json) -> dict[int, AddedToken]:
    """Id -> token of all files. Where they disagree on flags, tokenizer_config.json wins."""
    special = {_content(token) for value in named.values() for token in _listed(value)}
    added = {i: AddedToken(token, special=token in special) for token, i in ids.items()}
    added |= {record["id"]: _token(record) for record in whole.get("added_tokens", [])}
    added |= {int(i): _token(record) for i, record in config.get("added_tokens_decoder", {}).items()}
    return {i: replace(token, special=True) if token.content in special else token for i, token in added.items()}


def _special_tokens(named: Json, added: Mapping[str, AddedToken]) -> Json:
    """Role -> token, with its flags where they are known."""

    def known(value: Any) -> Any:
        return added.get(_content(value), _token(value | {"special": True}) if isinstance(value, dict) else value)

    special: Json = {role: known(named[role]) for role in ROLES if role in named}
    more = named.get("additional_special_tokens") or named.get("extra_special_tokens") or []
    return special | {"additional_special_tokens": [known(token) for token in _listed(more)]}


def _listed(value: Any) -> list[Any]:
    """The tokens of one key: a token, a list of them, or transformers 4's name -> token of extra_special_tokens."""
    if isinstance(value, dict) and "content" not in value:
        return list(value.values())
    return list(value) if isinstance(value, list) else [value]


def _token(record: Mapping[str, Any]) -> AddedToken:
    return AddedToken(record["content"], **{name: record[name] for name in FLAGS if name in record})


def _content(token: Any) -> Any:
    return token["content"] if isinstance(token, dict) else token
