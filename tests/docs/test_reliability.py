"""The page of faults: every fault has a test, every test it names is there, and the page is of the tests there are now."""

import re
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))
import make_reliability  # noqa: E402

FAULTS, TESTS = make_reliability.FAULTS, make_reliability.marked()
PAGE = (DOCS / "reliability.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("number", FAULTS)
def test_every_fault_has_a_test_and_its_line_on_the_page(number):
    assert TESTS.get(number), f"no test is marked @pytest.mark.fault({number})"
    (section,) = re.findall(rf"^### Fault {number}\n\n(.*?)(?=\n### |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert re.findall(r"^- `(.+?)`", section, re.MULTILINE) == TESTS[number], "run `make reliability`"
    assert f"| {FAULTS[number]['what']} | {FAULTS[number]['promise']} |" in PAGE, "run `make reliability`"


def test_marks_name_faults_of_the_table():
    assert set(TESTS) <= set(FAULTS)


def test_every_test_of_the_page_was_seen_to_pass():
    assert not re.findall(r"failure|error\b.*cases|skipped", PAGE.partition("## Tests")[2])
