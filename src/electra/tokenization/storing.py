"""Saving a tokenizer and loading it again; a base of the tokenizers. The files themselves are in `files`."""

from pathlib import Path
from typing import Any, Self

from electra.errors import ElectraError, VocabularyError
from electra.tokenization import files
from electra.tokenization.preparing import Preparing
from electra.tokenization.reading import read_folder
from electra.tokenization.vocabulary import write_vocabulary

# Settings of a tokenizer_config.json that say how other tools hold the tokenizer, not what it does.
IGNORED = frozenset(
    (
        "added_tokens_decoder", "auto_map", "backend", "init_inputs", "is_local", "local_files_only", "name_or_path",
        "special_tokens_map_file", "tokenizer_class", "tokenizer_file", "vocab_file", "processor_class",
    )
)  # fmt: skip


class Storing(Preparing):
    """Files and identity of a tokenizer."""

    normalization: dict[str, bool | None]
    split_special_tokens: bool
    _others: dict[str, Any]

    def fingerprint(self) -> str:
        """A sha256 over the pieces and the normalisation, equal for the slow and the fast tokenizer of one folder."""
        return files.fingerprint(self._pieces, self.normalization, self._added)

    def _tokenizer_json(self) -> dict[str, Any]:
        roles = {"unk_token": self.unk_token, "cls_token": self.cls_token, "sep_token": self.sep_token}
        return files.tokenizer_json(self._vocabulary, self._added, roles, self.normalization)

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
        contents = {
            "tokenizer.json": self._tokenizer_json(),
            "tokenizer_config.json": files.tokenizer_config(
                self._added, self.special_tokens_map, self.normalization, self._settings()
            ),
            "special_tokens_map.json": files.special_tokens_map(self.special_tokens_map_extended),
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

        changes are arguments of the tokenizer, which win over the files, or options of the hub's client. Another
        normalisation than the recorded one raises VocabularyError (a bare vocab.txt records none, and takes what is
        asked).
        """
        from electra.weights.hub import local_folder, take_hub_options

        options = take_hub_options(changes)
        path = Path(source) if Path(source).exists() else local_folder(source, network="discriminator", **options)
        try:
            stored = read_folder(path)
            asked = {key: changes[key] for key in files.NORMALIZATION if key in changes}
            files.check_normalization(path, stored.recorded, asked)
            known = {key: value for key, value in stored.settings.items() if key not in IGNORED}
            own = {"added_tokens_decoder": stored.added, **stored.special_tokens}
            return cls(stored.vocabulary, **{**known, **stored.recorded, **own, **changes})
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            if isinstance(error, ElectraError) or changes:
                raise
            raise VocabularyError(
                f"{path}: the files of its tokenizer say what cannot be ({type(error).__name__}: {error}); restore them from a "
                "good copy"
            ) from None
