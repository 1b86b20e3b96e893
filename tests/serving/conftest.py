"""Model folders of random weights, one of each kind, and the server most tests ask."""

import shutil

import pytest
from playwright.sync_api import sync_playwright
from served import KEY, LABELS, Served, write_pair, write_tuned

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def folders(tokenizer, tmp_path_factory):
    """Name -> folder: a tuned model of each kind, a pair, and `slow`, which takes its time."""
    place = tmp_path_factory.mktemp("served")
    made = {kind: write_tuned(place / kind, tokenizer, kind) for kind in LABELS}
    made["pair"] = write_pair(place / "pair", tokenizer)
    made["slow"] = write_tuned(
        place / "slow", tokenizer, "answering", max_length=64, hidden_size=256, num_attention_heads=4,
        intermediate_size=1024, num_hidden_layers=6,
    )  # fmt: skip
    return made


@pytest.fixture(scope="session")
def server(folders, tmp_path_factory):
    """A server of every kind of model that asks for a key, and waits two seconds for slow clients."""
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(f"{KEY}\nanother-{KEY}\n")
    served = Served(
        *(folder for name, folder in folders.items() if name != "slow"),
        "--api-key-file", keys, "--engine", "float32", "--header-seconds", 2, "--body-seconds", 2, "--connections", 100,
        "--max-body-bytes", 200_000, key=KEY,
    ).wait()  # fmt: skip
    yield served
    code, _, told = served.end()
    assert code == 0, told
    assert "Traceback" not in told, told


@pytest.fixture(scope="module")
def browser():
    """A real one, without a window. Of a module: while it is open, asyncio runs in this thread."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.fail(f"none of {', '.join(BROWSERS)} is installed: apt-get install chromium-headless-shell")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
