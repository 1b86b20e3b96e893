"""Makes the files of this folder from the goldens of the original's example builder.

python make.py GOLDENS VOCABULARY    GOLDENS holds corpus.txt, corpus_long_docs.txt and data_builder/
Kept are token ids of lines, no text; of every forced case its draws and the sha256 of its arrays, of two all arrays.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np

from electra.data.readers import read_documents
from electra.tokenization import load_tokenizer

WHOLE = ("forced_corpus_long_docs_cycle_128.npz", "forced_corpus_long_docs_cycle_512.npz")


def lines_of(text: Path, vocabulary: Path) -> dict[str, np.ndarray]:
    """ids of all lines, tokens per line, and lines before the end of each document."""
    documents = list(read_documents(text))
    ids, lengths = load_tokenizer(vocabulary).encode_lines([line for document in documents for line in document])
    return {
        "ids": ids.astype(np.uint16),
        "lengths": lengths.astype(np.uint16),
        "ends": np.cumsum([len(document) for document in documents]).astype(np.uint16),
    }


def main(goldens: Path, vocabulary: Path, out: Path) -> None:
    """Write lines_*.npz, forced.json, statistics.json and the whole cases."""
    cases = json.loads((goldens / "data_builder/forced.json").read_text())
    for name, case in cases.items():
        with np.load(goldens / "data_builder" / name) as held:
            arrays = [held[key] for key in ("input_ids", "input_mask", "segment_ids")]
        case["sha256"] = [hashlib.sha256(array.tobytes()).hexdigest() for array in arrays]
        if name in WHOLE:
            shutil.copyfile(goldens / "data_builder" / name, out / name)
    statistics = json.loads((goldens / "data_builder/statistics.json").read_text())["corpora"]
    for text in ("corpus.txt", "corpus_long_docs.txt"):
        np.savez_compressed(out / f"lines_{Path(text).stem}.npz", **lines_of(goldens / text, vocabulary))
    runs = {
        text: {
            length: {key: run[key] for key in ("mean_over_seeds", "std_over_seeds")}
            for length, run in held["runs"].items()
        }
        for text, held in statistics.items()
    }
    (out / "forced.json").write_text(json.dumps(cases, indent=1) + "\n")
    (out / "statistics.json").write_text(json.dumps(runs, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(__file__).parent)
