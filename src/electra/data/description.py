"""What a corpus depends on, written down, so that two of them can be told apart and the difference can be shown."""

import json
from dataclasses import asdict
from typing import Any

from electra.data.corpus import SPECIAL
from electra.data.readers import Reading
from electra.data.sources import Source
from electra.errors import CorpusError


def describe_tokenizer(tokenizer: Any) -> dict[str, Any]:
    """What a corpus remembers of its tokenizer. Raises CorpusError where a special token is not in the vocabulary."""
    special_ids = {name: getattr(tokenizer, f"{name}_token_id") for name in SPECIAL}
    absent = [f"[{name.upper()}]" for name, number in special_ids.items() if number is None]
    if absent:
        raise CorpusError(f"the tokenizer's vocabulary has no {', '.join(absent)}; add what is missing to vocab.txt")
    return {
        "fingerprint": tokenizer.fingerprint(),
        "vocab_size": len(tokenizer),
        "normalization": dict(tokenizer.normalization),
        "special_ids": {name: int(number) for name, number in special_ids.items()},
    }


def describe_settings(files: list[Source], reading: Reading, held_out: float) -> dict[str, Any]:
    """All that the corpus depends on, the tokenizer apart. A file is known by name, size and time of last change."""
    described = [
        {"name": one.name, "size": one.size, "changed_ns" if isinstance(one.changed, int) else "changed": one.changed}
        for one in files
    ]
    return asdict(reading) | {"held_out": held_out, "sources": described}


def differences(held: Any, wanted: Any, name: str = "") -> list[str]:
    """One line per value that differs: 'errors: "replace" there, "skip" asked for'."""
    if isinstance(held, list) and isinstance(wanted, list) and name == "sources":
        held, wanted = ({one["name"]: one for one in sources} for sources in (held, wanted))
    if isinstance(held, dict) and isinstance(wanted, dict):
        keys = sorted({*held, *wanted})
        return [
            line
            for key in keys
            for line in differences(held.get(key), wanted.get(key), f"{name}.{key}" if name else key)
        ]
    return [] if held == wanted else [f"{name}: {_shown(held)} there, {_shown(wanted)} asked for"]


def listed(changes: list[str]) -> str:
    """The lines of `differences` as they stand in a message."""
    return "\n".join(f"  - {change}" for change in changes)


def _shown(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value)
