"""Text to token ids and back: the WordPiece tokenizers, their vocabularies and their files.

`ElectraTokenizer` is plain Python; `ElectraTokenizerFast` gives the same ids through the `tokenizers` package, with
offsets. Names are imported when first used, so the slow path never loads `tokenizers`.
"""

from importlib import import_module
from typing import Any

_HOME = {
    "ElectraTokenizer": "electra.tokenization.slow",
    "ElectraTokenizerFast": "electra.tokenization.fast",
    "AutoTokenizer": "electra.tokenization.auto",
    "load_tokenizer": "electra.tokenization.auto",
    "BatchEncoding": "electra.tokenization.encoding",
    "AddedToken": "electra.tokenization.special",
    "read_vocabulary": "electra.tokenization.vocabulary",
    "write_vocabulary": "electra.tokenization.vocabulary",
    "train_vocabulary": "electra.tokenization.training",
    "measure_coverage": "electra.tokenization.coverage",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'electra.tokenization' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
