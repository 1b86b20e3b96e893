"""Servers for tests: real processes on loopback, models of random weights, and a client that tells all it was told."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

from small_tuning import MODEL

from electra.config import ElectraConfig
from electra.first_weights import first_weights
from electra.heads import HEADS
from electra.tasks.table import find_kind
from electra.training.tune_files import Purpose
from electra.weights.folders import save_model
from electra.weights.names import tensors

KEY = "a key of sixteen letters".replace(" ", "-")
LABELS = {
    "classification": ("calm", "wild"),
    "multi-label": ("calm", "wild"),
    "regression": ("score",),
    "tagging": ("O", "B-THING"),
    "answering": ("answer",),
    "choice": ("0", "1"),
}


def write_network(folder, tokenizer, head, **changes):
    """The folder of a model with a head of the table and random weights."""
    (row,) = (row for row in HEADS if row.name == head)
    config = ElectraConfig(
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        architectures=[row.class_name],
        **(MODEL | changes),
    )
    shapes = tensors(config) | tensors(config, row.tensors)
    weights = first_weights(shapes, MODEL["initializer_range"], 0)
    if "generator_lm_head.weight" in weights:
        weights["generator_lm_head.weight"] = weights["electra.embeddings.word_embeddings.weight"]
    save_model(folder, config, weights, "5GB", ["safetensors"])
    tokenizer.save_pretrained(folder)
    return folder


def write_tuned(folder, tokenizer, kind, max_length=48, **changes):
    """The folder of a model that looks as if it had been fine-tuned on a task of this kind."""
    rules = find_kind(kind)()
    purpose = Purpose(name="own", kind=rules, measure=rules.measures[0], labels=LABELS[kind], max_length=max_length)
    write_network(folder, tokenizer, rules.head, **(rules.settings(LABELS[kind]) | changes))
    purpose.write(folder)
    return folder


def write_pair(folder, tokenizer):
    """A discriminator and its generator, as a run of pretraining leaves them."""
    write_network(folder / "discriminator", tokenizer, "pretraining")
    write_network(folder / "generator", tokenizer, "masked_lm")
    return folder


class Served:
    """A server in a process of its own. `wait` gives it time to come up, so that several can come up at once."""

    def __init__(self, *words, key=None):
        command = [sys.executable, "-m", "electra", "serve", *map(str, words), "--port", "0", "--threads", "1"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.key, self.port, self.told = key, 0, ""

    def wait(self):
        """Until it listens."""
        while not self.port:
            line = self.process.stderr.readline()
            self.told += line
            if not line:
                raise AssertionError(f"the server ended with {self.end()}")
            if "http://" in line:
                self.port = int(line.partition("http://")[2].partition(";")[0].rpartition(":")[2])
        return self

    def ask(self, method, path, body=None, **headers):
        """(status, headers, value) of one request on a connection of its own; a body that is no bytes is sent as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            self.send(connection, method, path, body, **headers)
            return self.read(connection)
        finally:
            connection.close()

    def send(self, connection, method, path, body=None, **headers):
        """The first half of `ask`."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        own = {"Content-Type": "application/json"} if body is not None else {}
        own |= {"Authorization": f"Bearer {self.key}"} if self.key else {}
        connection.request(method, path, body, own | {name.replace("_", "-"): value for name, value in headers.items()})

    def read(self, connection):
        """The second half."""
        response = connection.getresponse()
        content = response.read()
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, response.headers, json.loads(content) if is_json else content.decode()

    def predict(self, name, *inputs, **headers):
        """The answer to a request for predictions."""
        return self.ask("POST", f"/v1/models/{name}/predict", {"inputs": list(inputs)}, **headers)

    def begin(self, name, *inputs):
        """A connection on which such a request was sent and nothing read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.send(connection, "POST", f"/v1/models/{name}/predict", {"inputs": list(inputs)})
        return connection

    def connect(self, text=""):
        """A bare connection on which some bytes were sent."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        connection.sendall(text.encode())
        return connection

    def metric(self, name):
        """The value of a metric, as /metrics writes it with its labels; 0 where it is not there."""
        text = self.ask("GET", "/metrics")[2]
        return next((float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{name} ")), 0.0)

    def until(self, name, value):
        """Wait until a metric has a value."""
        eventually(lambda: self.metric(name) == value)

    def until_draining(self):
        """Wait until it says that it is not ready, or says nothing any more."""
        with suppress(OSError, http.client.HTTPException):
            eventually(lambda: self.ask("GET", "/readyz")[0] == 503)

    def end(self, *signals):
        """(exit code, all it said on standard output and error) after signals; it has to end by itself."""
        for number in signals or (signal.SIGTERM,):
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, self.told + err


def eventually(holds):
    """Wait until something holds."""
    for _ in range(3000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to pass")


def rest(connection):
    """All that a bare connection still says until the other side closes it."""
    parts = []
    with connection:
        try:
            while part := connection.recv(65536):
                parts.append(part)
        except ConnectionError:
            pass
    return b"".join(parts).decode()
