"""A few damaged files for every parser in each run of the tests; `make fuzz` looks at many."""

import sys
from pathlib import Path

import pytest
from nightly import examples

sys.path.insert(0, str(Path(__file__).parent))
import fuzz


@pytest.mark.fault(3, 17, 28, 29, 44)
@pytest.mark.parametrize("name", fuzz.PARSERS)
def test_damaged_files_are_read_or_refused_and_nothing_between(name, tmp_path):
    parser, whole = fuzz.PARSERS[name], tmp_path / "whole"
    whole.mkdir()
    parser.make(whole)
    parser.read(whole)
    refused = 0
    for number in range(examples(20, 1000)):
        try:
            refused += fuzz.case(parser, whole, tmp_path / "case", f"{name}-0-{number}")
        except Exception as error:
            raise AssertionError(f"{name}-0-{number}: {type(error).__name__}: {error}") from error
    assert refused or name in ("texts", "records", "model", "run")
