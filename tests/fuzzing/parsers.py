"""Everything that reads a file of others: what a whole one looks like, and the call that reads it.

A parser takes a folder of files, some of them damaged, and either reads it or raises an ElectraError, soon and in little memory.
"""

import gzip
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow
import pyarrow.parquet
import torch
from small_tuning import data_of
from weights_of_all_formats import write_formats

from electra.config import ElectraConfig
from electra.data.corpus import Corpus
from electra.data.packed import build_packed
from electra.data.prepare import prepare
from electra.data.readers import read_documents
from electra.data.segments import build_segments
from electra.errors import ElectraError
from electra.tasks.own import Columns, own_examples
from electra.tokenization import ElectraTokenizer, ElectraTokenizerFast, load_tokenizer
from electra.training.run import RunFolder
from electra.training.settings import read_recipe
from electra.training.tune_files import Purpose, read_purpose
from electra.verification.checks import verify
from electra.weights.sources import open_source

LETTERS = "abcdefghijklmnopqrstuvwxyz."
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{letter}" for letter in LETTERS), "river", "the"]
SIZES = dict(
    vocab_size=len(WORDS), embedding_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
    intermediate_size=20, max_position_embeddings=12,
)  # fmt: skip


@dataclass(frozen=True)
class Parser:
    """make writes whole files into a folder; read reads all of them."""

    make: Callable[[Path], object]
    read: Callable[[Path], object]


def _vocabulary(folder):
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return folder / "vocab.txt"


def _tokenizer(folder):
    (folder.parent / "words").mkdir(exist_ok=True)
    ElectraTokenizer(_vocabulary(folder.parent / "words")).save_pretrained(folder)


def _read_tokenizer(folder):
    tokenizer = load_tokenizer(folder)
    tokenizer(["the river. Émile 東京", ""], padding=True)
    return tokenizer.decode([5, 6, 7])


def _config(folder):
    ElectraConfig(**SIZES, id2label={0: "a", 1: "b"}, architectures=["ElectraForMaskedLM"]).save_pretrained(folder)


def _recipe(folder):
    (folder / "recipe.toml").write_text(
        'preset = "tiny"\nsteps = 20\nlearning_rate = 1e-3\n[model]\nhidden_size = 64\nnum_attention_heads = 2\n'
    )


TEXT = "the river.\nthe rivers\n\nthe old river é 東京\n\nriver\u2028the\n"


def _corpus(folder):
    (folder.parent / "texts").mkdir(exist_ok=True)
    vocabulary = _vocabulary(folder.parent / "texts")
    text = folder.parent / "texts" / "text.txt"
    text.write_text(TEXT * 40, encoding="utf-8")
    prepare(text, folder, ElectraTokenizerFast(vocabulary), held_out=0.2, processes=1)


def _read_corpus(folder):
    for split in ("train", "validation"):
        corpus = Corpus.open(folder, split)
        load_tokenizer(corpus.tokenizer_folder)
        corpus.verify()  # what a run trusts afterwards
        for build in (build_segments, build_packed):
            examples = build(corpus, 16, 0)
            examples.rows(range(min(3, len(examples))))


def _texts(folder):
    records = [json.dumps({"text": line, "n": number}) for number, line in enumerate(TEXT.split("\n"))]
    (folder / "a.txt").write_text(TEXT * 3, encoding="utf-8")
    (folder / "b.jsonl").write_text("\n".join(records) + "\n", encoding="utf-8")
    (folder / "c.txt").write_text("\ufeff" + TEXT, encoding="utf-16")
    (folder / "d.txt.gz").write_bytes(gzip.compress(TEXT.encode() * 3))
    pyarrow.parquet.write_table(pyarrow.table({"text": TEXT.split("\n")}), folder / "e.parquet")


def _read_texts(folder):
    for path in sorted(folder.iterdir()):
        for options in ({}, {"errors": "skip", "max_bad_records": 3}, {"errors": "error"}):
            _or_refused(lambda path=path, options=options: sum(map(len, read_documents(path, **options))))


def _or_refused(read):
    """Read one of several files, all of which are to be read."""
    with suppress(ElectraError):
        read()


def _records(folder):
    rows = [("the old river", "place", 1.5), ('a "quiet", teacher', "other", 2.0), ("the\tgarden", "place", 3.25)]
    (folder / "a.csv").write_text(
        "text,label\n" + "\n".join(f'"{t.replace(chr(34), chr(34) * 2)}",{c}' for t, c, _ in rows)
    )
    (folder / "b.tsv").write_text("text\tlabel\n" + "\n".join(f"{t.replace(chr(9), ' ')}\t{n}" for t, _, n in rows))
    (folder / "c.jsonl").write_text("\n".join(json.dumps({"text": t, "label": c}) for t, c, _ in rows))
    pyarrow.parquet.write_table(
        pyarrow.table({"text": [row[0] for row in rows], "label": [row[1] for row in rows]}), folder / "d.parquet"
    )
    (folder / "e.conll").write_text("the O\nold O\nriver B-THING\n\na O\nteacher B-PER\n")
    (folder / "f.jsonl").write_text(json.dumps({"words": ["the", "river"], "tags": ["O", "B-THING"]}) + "\n")
    question = {"id": "1", "question": "How?", "answers": [{"text": "old", "answer_start": 4}]}
    squad = {"version": "1", "data": [{"paragraphs": [{"context": "the old river", "qas": [question]}]}]}
    (folder / "g.json").write_text(json.dumps(squad))
    (folder / "h.jsonl").write_text(json.dumps({"prompt": "the", "choices": ["old", "green"], "label": 1}) + "\n")


KINDS = {
    "a": "classification",
    "b": "regression",
    "c": "classification",
    "d": "multi-label",
    "e": "tagging",
    "f": "tagging",
}
KINDS |= {"g": "answering", "h": "choice"}


def _read_records(folder):
    for path in sorted(folder.iterdir()):
        _or_refused(lambda path=path: own_examples(KINDS[path.name[0]], path, Columns()))


def _weights(kind):
    def make(folder):
        write_formats(folder.parent / "formats", SIZES, folder, kind)

    return Parser(make, _read_weights)


def _read_weights(folder):
    for network in open_source(folder, allow_pickle_weights=True).networks.values():
        for name in network.stored:
            network.stored[name].sum()


def _run(folder):
    run = RunFolder(folder)
    run.begin({"settings": {"steps": 20, "size": "tiny"}, "corpus": {"fingerprint": "a"}, "machine": {"device": "cpu"}})
    for step in (5, 10):
        run.save(step, lambda stage: (stage / "optimizer.safetensors").write_bytes(bytes(99)), {"seconds": 1.0}, keep=2)
        for kind in ("train", "evaluation"):
            run.append({"kind": kind, "step": step, "tokens": 9, "seconds": 1.5, "loss": 2.5, "roc_auc": 0.5})


def _read_run(folder):
    run = RunFolder(folder)
    run.newest(lambda note: None)
    run.settings()
    run.forget_after(5)


def _tuned(folder):
    data = data_of()
    Purpose(name="own", kind=data.kind, measure="accuracy", labels=("other", "place"), max_length=48).write(folder)


def _model(folder):
    _tokenizer(folder)
    torch.manual_seed(0)
    from electra import ElectraForPreTraining
    from electra.verification.record import seal

    ElectraForPreTraining(ElectraConfig(**SIZES)).save_pretrained(folder)
    seal(folder)


PARSERS = {
    "vocabulary": Parser(_vocabulary, lambda folder: ElectraTokenizer(folder / "vocab.txt").encode("the river")),
    "tokenizer": Parser(_tokenizer, _read_tokenizer),
    "config": Parser(_config, lambda folder: ElectraConfig.from_pretrained(folder)),
    "recipe": Parser(_recipe, lambda folder: read_recipe(folder / "recipe.toml")),
    "corpus": Parser(_corpus, _read_corpus),
    "texts": Parser(_texts, _read_texts),
    "records": Parser(_records, _read_records),
    "run": Parser(_run, _read_run),
    "purpose": Parser(_tuned, read_purpose),
    "model": Parser(_model, verify),
    **{kind: _weights(kind) for kind in ("safetensors", "shards", "h5", "msgpack", "google", "pickle")},
}
