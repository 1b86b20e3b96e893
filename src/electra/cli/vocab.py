"""electra vocab: a WordPiece vocabulary from text, with the normalisation it was trained under stored beside it."""

import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

import tyro

from electra.data.readers import read_documents
from electra.data.sources import find_sources
from electra.errors import UsageError
from electra.tokenization import ElectraTokenizerFast, measure_coverage, train_vocabulary, write_vocabulary

SAMPLE = 2000  # documents the coverage is measured on


def vocab(
    sources: tyro.conf.Positional[tuple[str, ...]],
    *,
    out: Path,
    size: int = 30522,
    lower_case: bool = True,
    strip_accents: bool | None = None,
    split_chinese: bool = True,
    min_frequency: int = 2,
    documents: Annotated[str, tyro.conf.arg(help="as in electra prepare")] = "auto",
    text_field: str = "text",
) -> int:
    """Train a WordPiece vocabulary on files of text (.txt, .jsonl, .parquet, compressed or not).

    Args:
        sources: files, folders, globs or addresses (s3://...)
        out: folder for vocab.txt and the tokenizer's settings
        size: pieces, special tokens included
        lower_case: a model that does not tell Turkey from turkey; almost always better for small data
        strip_accents: turn é into e; by default as lower_case
        split_chinese: each Chinese character is a word
        min_frequency: pieces seen less often are not learned
        text_field: the field of a record that holds the text
    """
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} is not empty; a vocabulary is never written over another")
    if not sources:
        raise UsageError("give at least one file or folder of text")
    find_sources(sources)

    def texts() -> Iterator[str]:
        return (line for document in read_documents(sources, documents, text_field=text_field) for line in document)

    normalization = dict(do_lower_case=lower_case, strip_accents=strip_accents, tokenize_chinese_chars=split_chinese)
    pieces = train_vocabulary(texts(), size=size, min_frequency=min_frequency, **normalization)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocab.txt"
        write_vocabulary(path, pieces)
        ElectraTokenizerFast(vocab_file=str(path), **normalization).save_pretrained(out)
    coverage = measure_coverage(pieces, islice(texts(), SAMPLE), **normalization)
    print(
        f"{len(pieces):,} pieces in {out}; on the first lines of the text {coverage.pieces_per_word:.2f} pieces a word, "
        f"{coverage.single_piece_share:.0%} of the words one piece, {coverage.unknown_share:.2%} unknown",
        file=sys.stderr,
    )
    for note in coverage.notes:
        print(f"note: {note}", file=sys.stderr)
    print(f"next: electra prepare {' '.join(sources)} --tokenizer {out} --out corpus", file=sys.stderr)
    return 0


def main(words: list[str]) -> int:
    """Returns 0."""
    return tyro.cli(vocab, args=words, prog="electra vocab")
