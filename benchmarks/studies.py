"""What the studies in recipes/ found, for docs/results.md.

    electra study recipes/study-NAME.toml OUT --corpus CORPUS --data FOLDER
    python benchmarks/studies.py OUT NAME
    python benchmarks/studies.py --table

The first call keeps what `electra study` wrote in OUT: the results of all pieces, the speeds that minutes were counted by, and
the page. The second writes the section from the pages kept. Copied back to OUT/results and OUT/speeds the pieces need not be
run again.
"""

import argparse
import re
import shutil
from pathlib import Path

from document import write_section

KEPT = Path(__file__).parent / "results" / "studies"
PICTURES = Path(__file__).parents[1] / "docs" / "results" / "studies"
ORDER = ("sample-efficiency", "ablation", "design", "size", "peers")
PICTURE = re.compile(r"^!\[(?P<shows>.*)\]\((?P<file>study-\d+\.svg)\)$", re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path)
    parser.add_argument("name", nargs="?", choices=ORDER)
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    if options.out and options.name:
        keep(options.out, KEPT / options.name)
    elif options.out or not options.table:
        parser.error("give OUT and NAME, or --table")
    if options.table:
        write_section(
            "studies", [line for name in ORDER if (KEPT / name / "study.md").exists() for line in section(name)]
        )


def keep(out: Path, kept: Path) -> None:
    """Copy what is to stay of a study; pictures where there are several budgets to draw a curve over."""
    for part in ("results", "speeds"):
        shutil.copytree(out / part, kept / part, dirs_exist_ok=True)
    page = (out / "study.md").read_text(encoding="utf-8")
    if "," not in budgets(page):
        page = PICTURE.sub("", page)
    for found in PICTURE.finditer(page):
        PICTURES.mkdir(parents=True, exist_ok=True)
        shutil.copy(out / found["file"], PICTURES / f"{kept.name}-{found['file'].removeprefix('study-')}")
    (kept / "study.md").write_text(page, encoding="utf-8")


def budgets(page: str) -> str:
    """As the page's first lines name them: "1 minute, 3 minutes"."""
    found = re.search(r"budgets of (.*?): \d+ of", page)
    if found is None:
        raise SystemExit("study.md does not name its budgets: was it written by this version of electra study?")
    return found[1]


def section(name: str) -> list[str]:
    """Lines of Markdown: the page, its parts one level lower, without what only its curves need."""
    page = (KEPT / name / "study.md").read_text(encoding="utf-8").strip()
    page = PICTURE.sub(lambda found: _picture(name, found), page)
    if "![" not in page:
        page = re.sub(r"### Curves\n.*?(?=### )", "", page, flags=re.DOTALL)
    told = f"`electra study recipes/study-{name}.toml`. Pieces: [{name}](../benchmarks/results/studies/{name}/results)."
    head, rest = page.split("\n", 1)
    return [head, "", told, *rest.splitlines(), ""]


def _picture(name: str, found: re.Match[str]) -> str:
    return f"![{found['shows']}](results/studies/{name}-{found['file'].removeprefix('study-')})"


if __name__ == "__main__":
    main()
