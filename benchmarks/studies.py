"""What the studies in recipes/ found, for docs/results.md.

    electra study recipes/study-NAME.toml OUT --corpus CORPUS --data FOLDER
    python benchmarks/studies.py OUT NAME
    python benchmarks/studies.py --table

The first call keeps what `electra study` wrote in OUT: the results of all pieces, the speeds that minutes were counted by, and
the page, with curves where there are several budgets and all pieces are done. The second writes the section from the pages
kept. Copied back to OUT/results and OUT/speeds the pieces need not be run again.
"""

import argparse
import json
import re
import shutil
from pathlib import Path

from document import write_section

KEPT = Path(__file__).parent / "results" / "studies"
PICTURES = Path(__file__).parents[1] / "docs" / "results" / "studies"
ORDER = ("sample-efficiency", "ablation", "design", "size", "rate", "peers")
PICTURE = re.compile(r"\((study-\d+\.svg)\)$", re.MULTILINE)
CURVES = re.compile(r"^### Curves\n.*?(?=^### )", re.MULTILINE | re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path)
    parser.add_argument("name", nargs="?", choices=ORDER)
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    if options.out and options.name:
        keep(options.out, options.name)
    elif options.out or not options.table:
        parser.error("give OUT and NAME, or --table")
    if options.table:
        kept = [name for name in ORDER if (KEPT / name / "study.md").exists()]
        write_section("studies", [line for name in kept for line in section(name)])


def keep(out: Path, name: str) -> None:
    """Copy what is to stay of a study."""
    for part in ("results", "speeds"):
        shutil.copytree(out / part, KEPT / name / part, dirs_exist_ok=True)
    page = (out / "study.md").read_text(encoding="utf-8")
    study = json.loads((out / "study.json").read_text(encoding="utf-8"))
    if len(study["budgets"]) == 1 or study["pieces"]["left"]:
        page = CURVES.sub("", page)
    for picture in PICTURE.findall(page):
        PICTURES.mkdir(parents=True, exist_ok=True)
        shutil.copy(out / picture, PICTURES / f"{name}-{picture}")
    (KEPT / name / "study.md").write_text(page, encoding="utf-8")


def section(name: str) -> list[str]:
    """Lines of Markdown: the page, and where its pieces are."""
    page = PICTURE.sub(rf"(results/studies/{name}-\1)", (KEPT / name / "study.md").read_text(encoding="utf-8"))
    head, rest = page.strip().split("\n", 1)
    told = f"`electra study recipes/study-{name}.toml`. Pieces: [{name}](../benchmarks/results/studies/{name}/results)."
    return [head, "", told, *rest.splitlines(), ""]


if __name__ == "__main__":
    main()
