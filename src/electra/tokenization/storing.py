"""Saving a tokenizer and loading it again; a base of the tokenizers. The files themselves are in `files`."""

from pathlib import Path
from typing import Any, Self

from electra.tokenization import files
from electra.tokenization.decoding import Decoding
from electra.tokenization.vocabulary import write_vocabulary

# Settings of a tokenizer_config.json that say how other tools hold the tokenizer, not what it does.
IGNORED = frozenset(
    (
        "added_tokens_decoder", "auto_map", "backend", "init_inputs", "is_local", "local_files_only", "name_or_path",
        "special_tokens_map_file", "tokenizer_class", "tokenizer_file", "vocab_file", "processor_class",
    )
)  # fmt: skip


class Storing(Decoding):
    """Files and identity of a tokenizer."""

    normalization: dict[str, bool | None]
    model_max_length: int
    padding_side: str
    truncation_side: str
    split_special_tokens: bool
    _others: dict[str, Any]

    def fingerprint(self) -> str:
        """A sha256 over the pieces and the normalisation, equal for the slow and the fast tokenizer of one folder."""
        return files.fingerprint(self._pieces, self.normalization)

    def _added(self) -> list[tuple[int, str]]:
        return [(self._ids[token], token) for token in self.all_special_tokens]

    def _special_by_role(self) -> dict[str, str | None]:
        return {role: getattr(self, role) for role in files.DEFAULT_SPECIAL}

    def _tokenizer_json(self) -> dict[str, Any]:
        return files.tokenizer_json(self._vocabulary, self._added(), self._special_by_role(), self.normalization)

    def _settings(self) -> dict[str, Any]:
        return self._others | {
            "model_max_length": self.model_max_length,
            "padding_side": self.padding_side,
            "truncation_side": self.truncation_side,
            "clean_up_tokenization_spaces": self.clean_up_tokenization_spaces,
            "split_special_tokens": self.split_special_tokens,
        }

    def save_pretrained(self, save_directory: str | Path) -> tuple[str, ...]:
        """Write vocab.txt, tokenizer.json, tokenizer_config.json and special_tokens_map.json; the paths written."""
        special = self.special_tokens_map
        config = files.tokenizer_config(self._added(), special, self.normalization, self._settings())
        contents = {
            "tokenizer.json": self._tokenizer_json(),
            "tokenizer_config.json": config,
            "special_tokens_map.json": special,
        }
        return tuple(files.write_folder(Path(save_directory), self._vocabulary, contents))

    def save_vocabulary(self, save_directory: str | Path, filename_prefix: str | None = None) -> tuple[str]:
        """Write vocab.txt alone; its path."""
        name = f"{filename_prefix}-vocab.txt" if filename_prefix else "vocab.txt"
        path = Path(save_directory) / name
        write_vocabulary(path, self._vocabulary)
        return (str(path),)

    @classmethod
    def from_pretrained(cls, source: str | Path, **changes: Any) -> Self:
        """The tokenizer of a folder with any of the four files, of a vocab.txt or of a tokenizer.json.

        changes are arguments of the tokenizer and win over the files; but another normalisation than the recorded one
        raises VocabularyError (a bare vocab.txt records none, and takes what is asked).
        """
        from electra.weights.hub import local_folder

        path = Path(source) if Path(source).exists() else local_folder(source)
        stored = files.read_folder(path)
        asked = {key: changes[key] for key in files.NORMALIZATION if key in changes}
        files.check_normalization(path, stored.recorded, asked)
        known = {key: value for key, value in stored.settings.items() if key not in IGNORED}
        arguments = {**known, **stored.recorded, **stored.special_tokens, **changes}
        return cls(stored.vocabulary, **arguments)  # type: ignore[call-arg]  # the constructors of slow and fast
