"""The engine ray on a real cluster of this machine. Beginning one takes half a minute: one test, in `make nightly` only."""

import gzip
import os
import warnings

import pytest
from corpora import contents

from electra.data import plan
from electra.data.prepare import prepare
from electra.errors import CorpusError

if os.environ.get("NIGHTLY"):

    def test_ray_makes_the_same_corpus_and_raises_our_errors(tmp_path, tokenizer, monkeypatch):
        monkeypatch.setattr(plan, "RANGE", 20_000)
        monkeypatch.chdir(tmp_path)  # relative paths mean the same to Ray's workers
        (tmp_path / "texts").mkdir()
        text = "\n\n".join(f"he was number {number}\nof it" for number in range(5000)).encode()
        (tmp_path / "texts/a.txt").write_bytes(text + b"\n\xff")
        (tmp_path / "texts/b.txt.gz").write_bytes(gzip.compress(text))
        prepare("texts", "one", tokenizer, processes=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Ray's own
            prepare("texts", "ray", tokenizer, processes=2, engine="ray")
            with pytest.raises(CorpusError, match=r"a\.txt is not valid utf-8"):
                prepare("texts", "other", tokenizer, processes=2, engine="ray", errors="error")
        assert contents(tmp_path / "ray") == contents(tmp_path / "one")
