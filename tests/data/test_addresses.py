"""Text at addresses: fsspec's memory and local systems, and real web servers on loopback, with and without ranges."""

import functools
import gzip
import http.server
import re
import subprocess
import sys
import threading

import fsspec
import pyarrow
import pyarrow.parquet
import pytest
from corpora import contents

from electra.data import plan
from electra.data.addresses import is_address
from electra.data.prepare import prepare
from electra.data.readers import Reading, read_documents
from electra.data.sources import find_sources
from electra.errors import CorpusError, MissingDependencyError, TryAgainError

TEXT = b"".join(b"he was number %d\nof it\n\n" % number for number in range(2000))


@pytest.fixture
def folder(tmp_path):
    """A text, records in Parquet and a compressed text."""
    place = tmp_path / "texts"
    place.mkdir()
    (place / "a.txt").write_bytes(TEXT)
    (place / "c.txt.gz").write_bytes(gzip.compress(TEXT))
    table = pyarrow.table({"text": ["the a", "of to", "and in"]})
    pyarrow.parquet.write_table(table, place / "b.parquet")
    return place


@pytest.fixture
def memory(folder):
    """The same files in fsspec's memory."""
    system = fsspec.filesystem("memory")
    for path in folder.iterdir():
        system.pipe(f"/texts/{path.name}", path.read_bytes())
    system.pipe("/texts/.hidden/x.txt", b"hidden")
    system.pipe("/texts/made/corpus.json", b"{}")
    system.pipe("/texts/made/vocab.txt", b"x")
    yield "memory://texts"
    system.rm("/texts", recursive=True)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, whole."""

    def log_message(self, *words):
        """Say nothing."""


class RangeHandler(Handler):
    """Files of a folder, whole or the part that is asked for."""

    def do_GET(self):
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if not asked:
            return super().do_GET()
        data = (self.server.folder / self.path[1:]).read_bytes()
        part = data[int(asked[1]) : int(asked[2]) + 1]
        self.server.parts.append(int(asked[1]))
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {asked[1]}-{int(asked[1]) + len(part) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)


class HalfHandler(Handler):
    """Files of a folder, of which the second half never comes."""

    def copyfile(self, source, outputfile):
        """Send half of what was promised, and hang up."""
        data = source.read()
        outputfile.write(data[: len(data) // 2])
        self.close_connection = True


@pytest.fixture
def serve(folder):
    """serve(handler): a web server for the folder; its address and itself."""
    servers = []

    def start(handler):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
        server.folder, server.parts = folder, []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}", server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def tokens(folder):
    """All but corpus.json, which names the sources."""
    return {name: data for name, data in contents(folder).items() if name != "corpus.json"}


def test_what_is_an_address():
    assert is_address("s3://bucket/a.txt")
    assert is_address("simplecache::https://host/a.txt")
    assert not any(map(is_address, ["a.txt", "/a/b", "C:/texts", "c:\\texts", "a:b"]))


def test_a_folder_at_an_address_reads_like_one_on_disk(folder, memory, tmp_path, tokenizer, monkeypatch):
    monkeypatch.setattr(plan, "RANGE", 5000)
    prepare(folder, tmp_path / "disk", tokenizer, processes=1)
    info = prepare(memory, tmp_path / "memory", tokenizer, processes=1)
    assert tokens(tmp_path / "memory") == tokens(tmp_path / "disk")
    assert [one["name"] for one in info.description["settings"]["sources"]] == ["a.txt", "b.parquet", "c.txt.gz"]
    assert prepare(memory, tmp_path / "memory", tokenizer, processes=1).was_reused


def test_addresses_of_files_and_patterns(folder, memory):
    one = "memory://texts/a.txt"
    assert list(read_documents(one)) == list(read_documents(folder / "a.txt"))
    assert [source.name for source in find_sources(["memory://texts/*.gz", one, memory])] == [
        "c.txt.gz",
        "a.txt",
        "b.parquet",
    ]
    assert [source.name for source in find_sources(f"file://{folder}")] == ["a.txt", "b.parquet", "c.txt.gz"]


def test_a_changed_file_makes_another_corpus(memory, tmp_path, tokenizer):
    prepare("memory://texts/a.txt", tmp_path / "corpus", tokenizer, processes=1)
    fsspec.filesystem("memory").pipe("/texts/a.txt", TEXT)
    with pytest.raises(CorpusError, match=r"a\.txt\.changed"):
        prepare("memory://texts/a.txt", tmp_path / "corpus", tokenizer, processes=1)


def test_processes_read_their_own_ranges_of_a_file_on_the_web(serve, folder, tmp_path, tokenizer, monkeypatch):
    address, server = serve(RangeHandler)
    monkeypatch.setattr(plan, "RANGE", 10_000)
    prepare(folder / "a.txt", tmp_path / "disk", tokenizer, processes=1)
    prepare(f"{address}/a.txt", tmp_path / "web", tokenizer, processes=2)
    assert tokens(tmp_path / "web") == tokens(tmp_path / "disk")
    assert len({start for start in server.parts if start}) > 3


def test_a_web_server_without_ranges_is_read_from_the_beginning(serve, folder, tmp_path, tokenizer, monkeypatch):
    address, _ = serve(Handler)
    files = [f"{address}/{name}" for name in ("a.txt", "b.parquet", "c.txt.gz")]
    monkeypatch.setattr(plan, "RANGE", 100)
    assert len(plan.plan(find_sources(files), Reading(), 100)) == 3
    prepare([folder / "a.txt", folder / "b.parquet", folder / "c.txt.gz"], tmp_path / "disk", tokenizer, processes=1)
    prepare(files, tmp_path / "web", tokenizer, processes=1)
    assert tokens(tmp_path / "web") == tokens(tmp_path / "disk")


def test_an_address_that_gives_nothing_is_named(serve, memory, tmp_path):
    address, server = serve(Handler)
    with pytest.raises(CorpusError, match=r"/nothing\.txt does not exist"):
        find_sources(f"{address}/nothing.txt")
    with pytest.raises(CorpusError, match=r"memory://nowhere.* does not exist"):
        find_sources("memory://nowhere/")
    with pytest.raises(CorpusError, match=r"memory://texts/\*\.doc has no file ending in .*found nothing"):
        find_sources("memory://texts/*.doc")
    with pytest.raises(CorpusError, match="no address that fsspec knows"):
        find_sources("nonsense://texts")
    server.socket.close()
    with pytest.raises(TryAgainError, match=r"a\.txt cannot be read \(.*the same command tries again"):
        find_sources(f"{address}/a.txt")


def test_an_answer_that_breaks_off_is_no_shorter_text(serve, tmp_path, tokenizer):
    address, _ = serve(HalfHandler)
    for name in ("a.txt", "c.txt.gz"):
        with pytest.raises(TryAgainError, match=rf"{name} cannot be read .*finished work is kept"):
            prepare(f"{address}/{name}", tmp_path / "corpus", tokenizer, processes=1)


def test_what_is_missing_to_read_an_address_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingDependencyError, match=r"s3://bucket/a\.txt needs .*electra\[remote\].*s3:// needs s3fs"):
        find_sources("s3://bucket/a.txt")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingDependencyError, match=r"fsspec.*pip install 'electra\[remote\]'"):
        find_sources("memory://texts")


def test_fsspec_is_loaded_for_addresses_only(folder):
    code = (
        "import sys; from electra.data.prepare import prepare; from electra.data.readers import read_documents;"
        "list(read_documents(sys.argv[1])); print('fsspec' in sys.modules, 'aiohttp' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, folder / "a.txt"], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
