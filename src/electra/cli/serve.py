"""electra serve: models behind HTTP, until the server is told to stop."""

import sys
from pathlib import Path

import tyro

from electra.errors import UsageError, install_hint

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def serve(
    models: tyro.conf.Positional[tuple[str, ...]],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    api_key_file: Path | None = None,
    access_log: bool = False,
    engine: str = "auto",
    windows: int | None = None,
    framework: str = "torch",
    device: str = "auto",
    threads: int = 0,
    batch_size: int = 32,
    max_body_bytes: int = 1_000_000,
    max_inputs: int = 64,
    max_characters: int = 20_000,
    queue: int = 256,
    deadline_seconds: float = 10.0,
    header_seconds: float = 10.0,
    body_seconds: float = 10.0,
    connections: int = 512,
    drain_seconds: float = 30.0,
) -> int:
    """Answer requests over HTTP: JSON at /v1/models/NAME/predict, a page for people at /, the document at /openapi.json.

    Ctrl-C or SIGTERM ends the server after it has answered what is in flight; a second one ends it at once.

    Args:
        models: NAME=FOLDER, or FOLDER: RUN or RUN/model of electra finetune, a run of electra pretrain, or one exported of them
        host: the address to listen on; 0.0.0.0: all of this machine
        port: 0: any that is free
        api_key_file: keys, one a line, of which each request must carry one as Authorization: Bearer KEY
        access_log: a line of JSON for each request, on standard output, without its texts
        engine: float32, bfloat16, int8, or plain, which is the framework's model; auto: the faster of the first two
        windows: pieces that neighbouring windows over a long text or pair share; without it, as the model was tuned
        framework: whose model computes where the engine is plain; torch, tf or flax
        device: cpu, cuda, cuda:1; auto: a GPU where there is one
        threads: of the processor; 0: all cores
        batch_size: inputs a model is given at once, at most
        max_body_bytes: bytes of a request
        max_inputs: inputs of a request
        max_characters: characters of all texts of an input
        queue: inputs that wait for each model; with more, requests are refused
        deadline_seconds: seconds in which a request is answered or refused
        header_seconds: seconds a client may take for a request's headers
        body_seconds: seconds a client may take for a request's body
        connections: open at once
        drain_seconds: seconds for what is in flight, when the server is asked to stop
    """
    from electra.serving.limits import Limits

    limits = Limits(
        max_body_bytes=max_body_bytes, max_inputs=max_inputs, max_characters=max_characters, queue=queue,
        batch_size=batch_size, deadline_seconds=deadline_seconds, header_seconds=header_seconds,
        body_seconds=body_seconds, connections=connections, drain_seconds=drain_seconds,
    )  # fmt: skip
    keys = read_keys(api_key_file)
    try:
        from electra.serving import server
    except ImportError as error:
        if error.name not in ("starlette", "uvicorn", "h11"):
            raise
        raise install_hint(error.name, "serve", "electra serve") from None
    from electra.serving.models import open_models, read_names

    places = read_names(models)
    with server.bind(host, port) as address:  # before the models are read: a port that is taken is told at once
        options = {"framework": framework, "batch_size": batch_size, "device": device, "threads": threads}
        opened = open_models(places, engine=engine, windows=windows, **options)
        if host not in LOOPBACK and not keys:
            print(
                "electra serve: all who reach this machine may ask; --api-key-file FILE asks for a key", file=sys.stderr
            )
        return server.serve(opened, address, limits, keys, is_logged=access_log)


def read_keys(path: Path | None) -> list[str]:
    """The keys of a file, one a line. Raises UsageError where it has none."""
    if path is None:
        return []
    if not path.is_file():
        raise UsageError(f"{path} does not exist; give a file with a key, one a line")
    keys = path.read_text(encoding="utf-8").split()
    if not keys or min(map(len, keys)) < 16:
        raise UsageError(
            f"{path} has {'a key that is short' if keys else 'no key'}, expected 16 characters or more a line"
        )
    return keys


def main(words: list[str]) -> int:
    """Returns 0, or 1 where requests were left without an answer."""
    return tyro.cli(serve, args=words, prog="electra serve")
