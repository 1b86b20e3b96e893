"""Damaged requests to a real server, byte by byte: it answers 2xx or 4xx, or closes, and lives."""

import json
import random
import socket
import tempfile
import time
from pathlib import Path

from damage import damaged
from served import Served, write_tuned

BODY = json.dumps({"inputs": [{"text": "the old river"}, {"text": "a", "pair": "b"}]}).encode()
HEADS = (
    b"POST /v1/models/classification/predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
    b"GET /v1/models HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
    b"POST /v1/models/classification/predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Type: application/json\r\n\r\n%x\r\n%s\r\n0\r\n\r\n",
)


def requests(rng):
    """One request, or two on one connection, damaged in the head, the body, or anywhere."""
    body = damaged(BODY, rng) if rng.random() < 0.5 else BODY
    whole = rng.choice([HEADS[0] % len(body) + body, HEADS[1], HEADS[2] % (len(body), body)])
    sent = whole if rng.random() < 0.3 else damaged(whole, rng)
    return sent + whole if rng.random() < 0.2 else sent


def answer_to(port, sent):
    """All that comes back until the other side is silent or closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.settimeout(0.2)
        told = b""
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                told += part
        except (TimeoutError, ConnectionError):
            pass
        return told


def is_fault(told):
    """Whether an answer is of another kind than 2xx and 4xx."""
    lines = [line for line in told.split(b"\r\n") if line.startswith(b"HTTP/")]
    return bool(told) and not (lines and all(line.split(b" ")[1][:1] in b"24" for line in lines))


def fuzz_server(name, minutes, seed, found):
    """Fuzz a server for so long; the numbers of findings and of requests."""
    from parsers import WORDS

    from electra.tokenization import ElectraTokenizerFast

    findings = number = 0
    with tempfile.TemporaryDirectory() as work:
        vocabulary = Path(work) / "vocab.txt"
        vocabulary.write_text("\n".join(WORDS) + "\n")
        folder = write_tuned(Path(work) / "classification", ElectraTokenizerFast(vocabulary), "classification")
        server = Served(folder, "--header-seconds", 1, "--body-seconds", 1).wait()
        until = time.monotonic() + 60 * minutes
        while time.monotonic() < until and server.process.poll() is None:
            one = f"{name}-{seed}-{number}"
            sent = requests(random.Random(one))
            told = answer_to(server.port, sent)
            if is_fault(told):
                findings += 1
                (found / one).mkdir(parents=True, exist_ok=True)
                (found / one / "sent").write_bytes(sent)
                (found / one / "told").write_bytes(told)
                print(f"{one}: {told[:200]!r}; kept in {found / one}", flush=True)
            number += 1
        code, _, told = server.end()
        if code or "Traceback" in told:
            findings += 1
            print(f"{name}: the server ended with {code}:\n{told[-3000:]}", flush=True)
    print(f"{name}: {number} requests with seed {seed}, {findings} findings", flush=True)
    return findings, number
