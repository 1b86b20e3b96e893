"""The programs inside the documents run, in the order they stand, in a folder that holds what they name."""

import re
import warnings
from pathlib import Path

import pytest

from electra.weights.matching import NewWeightsWarning

ROOT = Path(__file__).parents[2]
HOW_TO = ("hugging-face", "tokenizers", "frameworks", "convert", "your-own-data", "finetune", "watch")
PAGES = ["README.md", *(f"docs/how-to/{page}.md" for page in HOW_TO)]


@pytest.mark.parametrize("page", PAGES)
def test_the_programs_of_a_page_run(page, short_run, tmp_path, monkeypatch):
    for name in ("discriminator", "generator"):
        (tmp_path / name).symlink_to(short_run / name)
    (tmp_path / "run").symlink_to(short_run)
    monkeypatch.chdir(tmp_path)
    programs = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert programs
    names: dict[str, object] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NewWeightsWarning)  # a page loads a pretrained folder under a new head
        for program in programs:
            exec(compile(program, page, "exec"), names)
