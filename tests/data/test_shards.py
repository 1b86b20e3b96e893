"""A corpus in shards: the same bytes as from one pass, wherever files are cut, whoever does a shard, and after kill -9."""

import gzip
import json
import lzma
import shutil
import subprocess
import sys
from hashlib import blake2b

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from corpora import contents, wait_for_lock
from nightly import examples

from electra.cli.prepare import main
from electra.data import plan, units
from electra.data.blocks import BLOCK
from electra.data.corpus import Corpus
from electra.data.prepare import prepare, prepare_shard
from electra.data.readers import Reading, read_documents
from electra.data.sources import find_sources
from electra.errors import CorpusError, TryAgainError, UnfinishedError, UsageError

# What texts are made of at random: all kinds of line ends, blank lines, marks, bytes that are no text, and words.
TEXT = [
    *[
        b"\n",
        b"\n",
        b"\n\n",
        b"\n\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\r",
        b"\n \n",
        b"\n\0\n",
        b"\xe2\x80\xa8",
        b"\xef\xbb\xbf",
    ],
    *[b"\xff", b"\xe2\x82", b"\xf0\x9f", b"\0", b" ", b"\t", "\u3000é".encode()],
    *[
        word.encode() + b" "
        for word in ["the", "a", "of", "to", "and", "in", "is", "it", "you", "that"]
        for _ in range(4)
    ],
]
RECORDS = [
    *[b'{"text": "the a\\nof it"}\n', b'{"text": "he was\\r\\n\\r\\nthey"}\r\n', b'{"text": ""}\n', b"\n", b" \n"],
    *[b'{"text": "in \\ud800 is"}\n', b'{"text": "to \xff of"}\n', b'{"text": "and\xe2\x80\xa8in\rthat"}\n'],
    *[b'{"text": 7}\n', b"no json\n", b'{"text": "you \xef\xbb\xbf a"}\n', b'{"text": "\xf0\x9f"}\n'],
]


def write_at_random(folder, rng):
    """One to five files of all kinds, of up to 2 kB."""
    folder.mkdir()
    for number in range(rng.integers(1, 6)):
        kind = rng.choice(["txt", "txt", "jsonl", "jsonl", "txt.gz", "jsonl.xz", "parquet", "utf-16"])
        path = folder / f"{number}.{'txt' if kind == 'utf-16' else kind}"
        parts = rng.choice(np.array(TEXT if "txt" in kind else RECORDS, dtype=object), rng.integers(0, 400))
        data = b"".join(parts)[: None if "txt" in kind else 2000] * bool(rng.random() < 0.95)
        if kind == "parquet":
            texts = ["the a\nof", "it\n\nis", "", None, "to \0 you"]
            table = pyarrow.table(
                {"text": pyarrow.array(rng.choice(texts, rng.integers(0, 200)).tolist(), pyarrow.string())}
            )
            pyarrow.parquet.write_table(table, path, row_group_size=int(rng.integers(1, 60)))
        elif kind == "utf-16":
            path.write_bytes(data.decode("utf-8", "replace").encode("utf-16"))
        else:
            mark = b"\xef\xbb\xbf" * bool(rng.random() < 0.2)
            path.write_bytes({".gz": gzip.compress, ".xz": lzma.compress}.get(path.suffix, bytes)(mark + data))


@pytest.mark.parametrize("seed", range(examples(25, 600)))
def test_random_files_in_random_shards_make_the_corpus_of_one_pass(seed, tmp_path, tokenizer, monkeypatch):
    rng = np.random.default_rng(seed)
    write_at_random(tmp_path / "sources", rng)
    (tmp_path / "sources/last.txt").write_text("the end\n\nof it")
    settings = dict(
        documents=rng.choice(["auto", "auto", "blank-line", "file"]), errors=rng.choice(["replace", "skip"]),
        max_bad_records=10_000, held_out=0.3, processes=1,
    )  # fmt: skip
    monkeypatch.setattr(plan, "RANGE", 1 << 40)  # small files, read from end to end
    prepare(tmp_path / "sources", tmp_path / "one", tokenizer, **settings)
    monkeypatch.setattr(plan, "RANGE", int(rng.integers(1, 1500)))
    monkeypatch.setattr(units, "UNIT", int(rng.integers(1, 3000)))
    of = int(rng.integers(1, 6))
    for number in rng.permutation(of) + 1:
        prepare_shard(f"{number}/{of}", tmp_path / "sources", tmp_path / "shards", tokenizer, **settings)
    prepare(tmp_path / "sources", tmp_path / "shards", tokenizer, only_assemble=True, **settings)
    assert contents(tmp_path / "shards") == contents(tmp_path / "one")
    assert not (tmp_path / ".shards.preparing").exists()


def test_the_corpus_is_what_reading_the_files_from_end_to_end_says(tmp_path, tokenizer, monkeypatch):
    write_at_random(tmp_path / "sources", np.random.default_rng(3))
    documents = list(read_documents(tmp_path / "sources", max_bad_records=10_000))
    monkeypatch.setattr(plan, "RANGE", 500)
    prepare(tmp_path / "sources", tmp_path / "corpus", tokenizer, max_bad_records=10_000, held_out=0.2, processes=1)
    keys = [int.from_bytes(blake2b("\n".join(lines).encode(), digest_size=8).digest(), "little") for lines in documents]
    for split, is_held_out in (("train", False), ("validation", True)):
        chosen = [lines for lines, key in zip(documents, keys, strict=True) if (key < 0.2 * 2**64) == is_held_out]
        ids, lengths = tokenizer.encode_lines([line for lines in chosen for line in lines])
        corpus = Corpus.open(tmp_path / "corpus", split)
        assert np.array_equal(corpus.ids, ids)
        assert np.array_equal(corpus.line_offsets[1:], np.cumsum(lengths[lengths > 0]))


# -- how files are cut ------------------------------------------------------------------------------------------------


def spans(path, **settings):
    """Where the portions of a file begin and end."""
    portions = plan.plan(find_sources(path), Reading(**settings), 1000)
    return [(span.start, span.stop) for portion in portions for span in portion.spans]


def test_large_plain_files_are_cut_and_what_cannot_be_is_left_whole(tmp_path):
    text = b"some words\n\n" * 250
    for name, data, expected in (
        ("plain.txt", text, [(0, 1000), (1000, 2000), (2000, 3000)]),
        ("records.jsonl", b'{"text": ""}\n' * 200, [(0, 1300), (1300, 2600)]),
        ("small.txt", text[:1000], [(0, None)]),
        ("packed.txt.gz", np.random.default_rng(0).bytes(3000), [(0, None)]),
        ("wide.txt", text.decode().encode("utf-16"), [(0, None)]),
        ("lines.txt", b"a line\n" * (BLOCK // 7 + 1) + b"\n", [(0, None)]),
    ):
        (tmp_path / name).write_bytes(data)
        assert spans(tmp_path / name) == expected, name
    assert spans(tmp_path / "plain.txt", documents="file") == [(0, None)]


def test_small_files_are_put_together(tmp_path):
    for number, size in enumerate((0, 400, 700, 300, 5000, 1, 1)):
        (tmp_path / f"{number}.txt").write_bytes((b"x\n\n" * 2000)[:size])
    portions = plan.plan(find_sources(tmp_path), Reading(), 1000)
    names = [[span.source.name[0] for span in portion.spans] for portion in portions]
    assert names == [["0", "1", "2"], ["3"], *[["4"]] * 5, ["5", "6"]]


def test_parquet_files_are_cut_between_row_groups(tmp_path):
    noise = np.random.default_rng(0)
    table = pyarrow.table({"text": [noise.bytes(300).hex() for _ in range(20)]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet", row_group_size=1, compression=None)
    found = spans(tmp_path / "a.parquet")
    assert len(found) > 4
    assert (found[0][0], found[-1][1]) == (0, 20)
    assert [stop for _, stop in found[:-1]] == [start for start, _ in found[1:]]


def test_a_file_that_became_shorter_is_noticed(tmp_path, tokenizer, monkeypatch):
    monkeypatch.setattr(plan, "RANGE", 1000)
    path = tmp_path / "a.txt"
    path.write_text("the\n\n" * 1000)
    with pytest.raises(CorpusError, match=r"a\.txt ends at byte 2500, but had 5000 bytes: it changed"):
        prepare(path, tmp_path / "corpus", tokenizer, processes=1, progress=lambda _: path.write_text("the\n\n" * 500))


def test_a_bad_record_in_the_middle_of_a_file_is_named_by_its_line_in_the_file(tmp_path, tokenizer, monkeypatch):
    monkeypatch.setattr(plan, "RANGE", 100)
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "the"}\n' * 50 + "bad\n" + '{"text": "a"}\n' * 50 + "worse\n")
    with pytest.raises(CorpusError, match=r"a\.jsonl:51:1: not JSON.*bad record 1, 0 allowed.*set max_bad_records"):
        prepare(path, tmp_path / "corpus", tokenizer, processes=1)
    # Each of the two parts has one, the file has two.
    with pytest.raises(CorpusError, match=r"a\.jsonl:102:1: not JSON.*bad record 2, 1 allowed"):
        prepare(path, tmp_path / "corpus", tokenizer, processes=1, max_bad_records=1)
    problems = prepare(path, tmp_path / "corpus", tokenizer, processes=1, max_bad_records=2).problems
    assert [place.split(": ")[0] for place in problems[0]["bad_records"]] == [f"{path}:51:1", f"{path}:102:1"]


# -- kills, faults, repetition ----------------------------------------------------------------------------------------

SHARD = """
import sys, time
from electra.data import plan, units
from electra.data.prepare import prepare_shard
from electra.tokenization import load_tokenizer
units.UNIT, plan.RANGE = 30_000, 10_000
if __name__ == "__main__":
    shard, sources, out, vocabulary, processes = sys.argv[1:]
    told = lambda progress: print(progress.bytes_done, flush=True) or time.sleep(0.02)
    prepare_shard(shard, sources, out, load_tokenizer(vocabulary), processes=int(processes), progress=told)
    print("end")
"""


@pytest.fixture
def sources(tmp_path):
    """A text of 300 kB."""
    words = np.random.default_rng(0).choice(
        ["the", "a", "of", "to", "and", "in", "is", "it", "you", "that"], (3000, 30)
    )
    (tmp_path / "a.txt").write_text("\n\n".join(" ".join(row) for row in words))
    return tmp_path / "a.txt"


@pytest.fixture
def small_parts(monkeypatch):
    """Ranges of 10 kB, each one unit, as in the program above."""
    monkeypatch.setattr(units, "UNIT", 30_000)
    monkeypatch.setattr(plan, "RANGE", 10_000)


def test_a_shard_killed_in_the_middle_goes_on_beside_another_and_the_corpus_is_the_same(
    sources, tmp_path, tokenizer, vocabulary_file, start_python, small_parts
):
    out = tmp_path / "corpus"
    killed = start_python(SHARD, "1/2", sources, out, vocabulary_file, 2)
    beside = start_python(SHARD, "2/2", sources, out, vocabulary_file, 1)
    for _ in range(4):
        assert killed.stdout.readline()
    killed.kill()
    killed.communicate()
    finished = len(list(tmp_path.glob(".corpus.preparing/*/units/*.npz")))
    assert beside.communicate()[0].endswith("end\n")
    told = []
    prepare_shard("1/2", sources, out, tokenizer, processes=1, progress=told.append)
    assert finished >= 4
    assert 0 < len(told) <= 15 - 4
    again = prepare_shard("1/2", sources, out, tokenizer, processes=1)
    assert (again.was_reused, again.lines) == (True, 0)
    wait_for_lock(lambda: prepare(sources, out, tokenizer, only_assemble=True))
    prepare(sources, tmp_path / "whole", tokenizer, processes=1)
    assert contents(out) == contents(tmp_path / "whole")


def test_the_plain_call_does_what_shards_have_left(sources, tmp_path, tokenizer, small_parts):
    told = []
    prepare_shard("2/3", sources, tmp_path / "corpus", tokenizer, processes=1)
    prepare(sources, tmp_path / "corpus", tokenizer, processes=1, progress=told.append)
    prepare(sources, tmp_path / "whole", tokenizer, processes=1)
    assert len(told) == 20
    assert contents(tmp_path / "corpus") == contents(tmp_path / "whole")
    assert prepare_shard("3/3", sources, tmp_path / "corpus", tokenizer).was_reused


def test_missing_shards_are_named_with_the_commands_that_make_them(
    sources, tmp_path, tokenizer, vocabulary_file, small_parts
):
    words = [str(sources), "--tokenizer", str(vocabulary_file), "--out", str(tmp_path / "a corpus"), "--processes", "1"]
    main([*words, "--shard", "2/4"])
    main([*words, "--shard", "4/4"])
    with pytest.raises(UnfinishedError) as caught:
        main([*words, "--assemble"])
    assert caught.value.shards == ["1/4", "3/4"]
    assert caught.value.exit_code == 75
    first, *commands = str(caught.value).split("\n  ")
    assert first.endswith("a corpus: shards 1/4, 3/4 are not finished (15 of 30 portions are missing); run")
    for command in commands:
        assert command.startswith("electra prepare ")
        done = subprocess.run(["bash", "-c", f"printf '%s\\n' {command}"], capture_output=True, text=True, check=True)
        main(done.stdout.split("\n")[2:-1])  # the words as a shell reads them
    main([*words, "--assemble"])
    prepare(sources, tmp_path / "whole", tokenizer, processes=1)
    assert contents(tmp_path / "a corpus") == contents(tmp_path / "whole")


def test_a_damaged_unit_of_a_shard_is_found_and_its_shard_named(sources, tmp_path, tokenizer, small_parts):
    for shard in ("1/2", "2/2"):
        prepare_shard(shard, sources, tmp_path / "corpus", tokenizer, processes=1)
    unit = next(tmp_path.glob(".corpus.preparing/*/units/0000003-00000.npz"))
    data = bytearray(unit.read_bytes())
    data[len(data) // 2] ^= 255
    unit.write_bytes(data)
    with pytest.raises(UnfinishedError, match=r"shard 2/2 is not finished \(1 of 30"):
        prepare(sources, tmp_path / "corpus", tokenizer, only_assemble=True)


def test_work_of_shards_made_otherwise_is_kept_and_the_difference_told(sources, tmp_path, tokenizer, small_parts):
    prepare_shard("1/2", sources, tmp_path / "corpus", tokenizer, processes=1)
    before = contents(tmp_path / ".corpus.preparing")
    for call in (
        lambda: prepare_shard("2/2", sources, tmp_path / "corpus", tokenizer, processes=1, held_out=0.5),
        lambda: prepare(sources, tmp_path / "corpus", tokenizer, processes=1, held_out=0.5),
    ):
        with pytest.raises(
            CorpusError, match=r"(?s)settings\.held_out: 0\.01 there, 0\.5 asked for.*remove .*preparing"
        ):
            call()
        assert contents(tmp_path / ".corpus.preparing") == before


def test_shards_copied_together_from_machines_that_share_no_disk_assemble(sources, tmp_path, tokenizer, small_parts):
    for number in (1, 2):
        prepare_shard(f"{number}/2", sources, tmp_path / f"machine{number}/corpus", tokenizer, processes=1)
    shutil.copytree(
        tmp_path / "machine2/.corpus.preparing", tmp_path / "machine1/.corpus.preparing", dirs_exist_ok=True
    )
    prepare(sources, tmp_path / "machine1/corpus", tokenizer, only_assemble=True)
    prepare(sources, tmp_path / "whole", tokenizer, processes=1)
    assert contents(tmp_path / "machine1/corpus") == contents(tmp_path / "whole")


def test_a_shard_and_the_whole_do_not_meet(sources, tmp_path, tokenizer, small_parts):
    def meet(progress):
        with pytest.raises(TryAgainError, match="another process is preparing"):
            prepare(sources, tmp_path / "corpus", tokenizer, processes=1)

    prepare_shard("1/30", sources, tmp_path / "corpus", tokenizer, processes=1, progress=meet)


@pytest.mark.parametrize("shard", ["0/4", "5/4", "3", "a/b", "1/0"])
def test_a_shard_that_is_none_is_refused(shard, sources, tmp_path, tokenizer):
    with pytest.raises(UsageError, match="expected NUMBER/OF"):
        prepare_shard(shard, sources, tmp_path / "corpus", tokenizer)


def test_the_engine_ray_is_named_where_it_is_not_installed(sources, tmp_path, tokenizer, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"ray.*pip install 'electra\[ray\]'"):
        prepare(sources, tmp_path / "corpus", tokenizer, engine="ray")
    with pytest.raises(UsageError, match='engine is "spark"'):
        prepare(sources, tmp_path / "corpus", tokenizer, engine="spark")


def test_records_reported_by_many_parts_are_as_from_one(tmp_path, tokenizer, monkeypatch):
    path = tmp_path / "a.jsonl"
    lines = [json.dumps({"text": "the"}).encode() if number % 7 else b"\xff bad" for number in range(200)]
    path.write_bytes(b"\n".join(lines))
    whole = prepare(path, tmp_path / "one", tokenizer, processes=1, max_bad_records=100).problems
    monkeypatch.setattr(plan, "RANGE", 150)
    parts = prepare(path, tmp_path / "many", tokenizer, processes=1, max_bad_records=100).problems
    assert parts == whole
    assert whole[0]["bad_record_count"] == 29
