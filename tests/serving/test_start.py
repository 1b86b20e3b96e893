"""What a server refuses to start with, before any framework is imported."""

import asyncio
import shutil
import socket

import numpy as np
import pytest
from damage import flip_bit
from served import KEY

from electra.cli import main
from electra.serving.server import bind
from electra.weights.checkpoint import write_manifest
from electra.weights.files import read_tensors, write_tensors


def start(*words):
    return main(["serve", *map(str, words)])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "give one or more models"),
        (["../=run"], "'../' is no name for a model"),
        (["a b=run"], "'a b' is no name for a model"),
        (["river=one", "river=two"], "one and two would both be called river"),
        (["a/run", "b/run/model"], "a/run and b/run/model would both be called run"),
        (["run", "--port", "70000"], "127.0.0.1:70000 cannot be had: a port is a number from 0"),
        (["run", "--host", "203.0.113.1"], "203.0.113.1:8000 cannot be had"),
        (["run", "--api-key-file", "none"], "none does not exist"),
        (["run", "--queue", "8", "--deadline-seconds", "0"], "limits of the server have 2 problems"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_told_what_is_wrong(words, told, capfd):
    assert start(*words) == 2
    assert told in capfd.readouterr().err


def test_a_port_that_is_taken_is_told_before_models_are_read(capfd):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert start("none", "--port", port) == 2
        assert f"127.0.0.1:{port} cannot be had: Address already in use" in capfd.readouterr().err


def test_a_key_that_is_short_or_missing_is_refused(tmp_path, capfd):
    (tmp_path / "short").write_text(f"{KEY}\nshort\n")
    (tmp_path / "empty").write_text("\n")
    assert [start("run", "--api-key-file", tmp_path / name) for name in ("short", "empty")] == [2, 2]
    assert "a key that is short" in capfd.readouterr().err


@pytest.mark.fault(11)
def test_a_model_with_a_number_that_is_not_finite_is_not_served(folders, tmp_path, capfd):
    folder = tmp_path / "broken"
    folder.mkdir()
    for file in folders["tagging"].iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    tensors = {name: np.array(array) for name, array in read_tensors(folder).items()}
    tensors["classifier.bias"][1] = np.nan
    write_tensors(folder / "model.safetensors", tensors)
    assert start(folder, "--port", 0) == 65
    assert "not every number is finite in classifier.bias" in capfd.readouterr().err


@pytest.mark.fault(4)
def test_a_model_that_is_not_what_its_manifest_says_is_not_served(folders, tmp_path, capfd):
    folder = shutil.copytree(folders["tagging"], tmp_path / "flipped")
    write_manifest(folder, {})
    flip_bit(folder / "model.safetensors")
    assert start(folder, "--port", 0) == 65
    assert "model.safetensors has other content than was written" in capfd.readouterr().err


def test_a_folder_that_holds_no_model_is_refused(tmp_path, capfd):
    assert start(tmp_path, "--port", 0) == 65
    assert str(tmp_path) in capfd.readouterr().err


def test_small_answers_are_sent_at_once():
    accepted = []

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport):
            own = transport.get_extra_info("socket")
            accepted.append(own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            transport.close()

    async def connect(address):
        async with await asyncio.get_running_loop().create_server(Protocol, sock=address):
            reader, writer = await asyncio.open_connection(*address.getsockname())
            await reader.read()
            writer.close()

    with bind("127.0.0.1", 0) as address:
        asyncio.run(connect(address))
    assert accepted[0] != 0
