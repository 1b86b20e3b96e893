"""The demonstration's text: prose of docstrings and comments, no code, each paragraph once."""

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "examples/demo/collect_text.py"
SOURCE = '''
"""Open the file and read the first line of it, as everybody would expect.

    >>> open("a").readline()

:param name: str, the `name` of the file that should be opened by this function here
"""

# Closing happens when the last reference to the file is gone from memory,
# which may be later than you think it will be.
x = 1  # too short


def read():
    """Returns     The words   of ``text`` that are not written in capital letters at all.

    x = [a for a in b]; y = (1, 2, 3); z = {}; f(x, y, z); g(1, 2, 3) + h[0][1]
    """
'''


@pytest.fixture
def collect():
    spec = importlib.util.spec_from_file_location("collect_text", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_sentences_are_kept_and_code_is_not(collect, tmp_path):
    (tmp_path / "a.py").write_text(SOURCE)
    (tmp_path / "broken.py").write_text("def (:")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/b.py").write_text(SOURCE)
    found = [
        list(collect.paragraphs(text)) for path in collect.python_files(tmp_path) for text in collect.texts_of(path)
    ]
    assert [paragraph for one in found for paragraph in one] == [
        "Open the file and read the first line of it, as everybody would expect.",
        "Returns The words of text that are not written in capital letters at all.",
        "Closing happens when the last reference to the file is gone from memory, which may be later than you think it will be.",
    ]


def test_a_paragraph_is_written_once(collect, tmp_path):
    line = "This sentence has more than eight words and is written twice."
    seen = set()
    collect.write_package(tmp_path / "one.txt", iter([iter([line, line.upper()]), iter([line])]), seen)
    assert (tmp_path / "one.txt").read_text() == f"{line}\n\n"
