"""The reference pages: current, complete, with examples that run and links that lead somewhere."""

import re
import sys
from pathlib import Path

import pytest

import electra
from electra.heads import HEADS

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))
import make_reference  # noqa: E402
import reading  # noqa: E402

COMMITTED = {path.name: path.read_text(encoding="utf-8") for path in (DOCS / "reference").glob("*.md")}
EXAMPLES = sorted((DOCS / "reference" / "examples").glob("*.py"))
PUBLIC = [name for name in electra.__all__ if name != "__version__"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_what_its_page_says(example):
    shown = f"```python\n{example.read_text()}```\n\nprints\n\n```text\n{make_reference.output_of(example)}```"
    assert sum(shown in text for text in COMMITTED.values()) == 1


def test_the_pages_are_those_the_source_gives_now(tmp_path):
    make_reference.write(tmp_path)
    written = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert written.keys() == COMMITTED.keys()
    stale = [name for name in written if written[name] != COMMITTED[name]]
    assert not stale, f"{', '.join(stale)}: run `make docs` and commit docs/reference"


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_class_has_one_section_and_one_example(name):
    assert sum(text.count(f"\n## {name}\n") for text in COMMITTED.values()) == 1
    assert name in [example.stem for example in EXAMPLES]
    assert f"#{name.lower()})" in COMMITTED["index.md"]


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_every_head_is_in_the_table_of_models(head):
    assert f"| [{head.class_name}](#{head.class_name.lower()}) |" in COMMITTED["models.md"]


@pytest.mark.parametrize("page", COMMITTED)
def test_every_link_leads_to_a_file_and_a_heading(page):
    for target in re.findall(r"\]\(([^)]+)\)", COMMITTED[page]):
        file, _, heading = target.partition("#")
        path = DOCS / "reference" / (file or page)
        assert path.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in [title.lower().replace(" ", "-") for title in titles], target


def test_an_argument_s_comment_stands_beside_it_on_the_page():
    assert (
        "    initializer_range: float = 0.02,  # standard deviation of the truncated normal\n"
        in COMMITTED["configuration.md"]
    )


def test_aligned_lines_of_a_docstring_become_a_list_and_names_code():
    docstring = """Write tokens.

    input_ids    (B, L) the text
                 before masking
    weights      (B, M) 0 marks
    Raises InputError on ids
    beyond vocab_size.
    """
    assert reading.prose(docstring) == (
        "Write tokens.\n\n- `input_ids`: (B, L) the text before masking\n- `weights`: (B, M) 0 marks\n\n"
        "Raises InputError on ids beyond `vocab_size`."
    )
