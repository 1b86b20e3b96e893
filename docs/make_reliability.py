"""Writes docs/reliability.md from the tests' own results: `make reliability`, or python docs/make_reliability.py REPORT.xml ...

A test says which faults it shows by @pytest.mark.fault(NUMBER, ...); it is found here by reading the source, run, and named
on the page with what came of it. Instead of running tests it takes reports that pytest wrote with -o junit_family=xunit1
--junit-xml=REPORT.xml; tests that are in none of them keep what the page says of them.
"""

import ast
import json
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
FAULTS = {int(number): row for number, row in tomllib.loads((ROOT / "docs/faults.toml").read_text("utf-8")).items()}
LONG = ROOT / "docs" / "long_runs.json"
PAGE = Path(__file__).parent / "reliability.md"
RESULT = re.compile(r"(passed|failure|error|skipped)(?: \((\d+) cases\))?")
NOT_RUN = Counter({"not run for this page": 1})
INTRO = """# Faults

What can go wrong, what this library promises then, and the tests that let it go wrong: real kills, real full disks, real
damaged files. Written by `make reliability`, which runs these tests; the whole suite has them too. What others do was
measured with transformers 4.57.6 (v4) and 5.23.0 (v5), datasets, FastAPI and uvicorn on their defaults; an empty cell was
not measured.

- **What was there stays.** A run, a checkpoint, a model folder, a corpus or a tokenizer is at every instant the old one,
  whole, or the new one, whole.
- **The same command goes on.** A run that was killed, stopped or starved continues from its newest whole checkpoint, bit for
  bit. `--resume must` refuses to begin one.
- **Errors** say what was found, what was expected, where, and what to do. Exit codes: 0 done, 1 the run failed, 2 a wrong
  request, 65 bad data, 70 a fault of ours, 73 cannot write, 75 try again (stopped by SIGTERM, disk full, out of memory, folder
  in use), 130 Ctrl-C.
- **One process a run.** RUN/.lock names who is at work.
"""


def marked() -> dict[int, list[str]]:
    """Fault -> the tests that show it, as `tests/FILE.py::NAME`."""
    found: dict[int, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for name, numbers in _marks(ast.parse(path.read_text(encoding="utf-8"))):
            for number in numbers:
                found.setdefault(number, []).append(f"{path.relative_to(ROOT).as_posix()}::{name}")
    return found


def _marks(module: ast.Module) -> Iterator[tuple[str, list[int]]]:
    for function in module.body:
        for mark in getattr(function, "decorator_list", []):
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault":
                yield function.name, [ast.literal_eval(argument) for argument in mark.args]  # type: ignore[attr-defined]


def run(files: list[str], report: Path) -> None:
    """Run the marked tests of these files."""
    options = ["-q", "-m", "fault", "-o", "junit_family=xunit1", f"--junit-xml={report}"]
    subprocess.run([sys.executable, "-m", "pytest", *options, *files], cwd=ROOT, check=False)


def outcomes(report: Path) -> dict[str, Counter[str]]:
    """Test -> how many of its cases passed and failed."""
    found: dict[str, Counter[str]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('file')}::{str(case.get('name')).partition('[')[0]}"
        bad = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        found.setdefault(name, Counter())[bad[0] if bad else "passed"] += 1
    return found


def told_before() -> dict[str, Counter[str]]:
    """What the page says now."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    return {
        name: Counter({outcome: int(count or 1) for outcome, count in RESULT.findall(told)})
        for name, told in re.findall(r"^- `(.+?)`: (.+)$", text, re.MULTILINE)
        if RESULT.search(told)
    }


def page(tests: dict[int, list[str]], results: dict[str, Counter[str]]) -> str:
    """The text of the page."""
    rows, sections = [], []
    for number, fault in FAULTS.items():
        counts = sum((results.get(name, NOT_RUN) for name in tests.get(number, [])), Counter[str]())
        seen = ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "no test yet"
        cells = (f"[{number}](#fault-{number})", fault["what"], fault["promise"], seen, fault.get("others", ""))
        rows.append(f"| {' | '.join(cells)} |")
        listed = "\n".join(f"- `{name}`: {_told(results.get(name, NOT_RUN))}" for name in tests.get(number, []))
        sections.append(f"### Fault {number}\n\n{fault['what']}.\n\n{listed}\n")
    long = long_runs(json.loads(LONG.read_text("utf-8")))
    head = "|   | fault | promise | cases | others |\n|---|---|---|---|---|"
    return "\n".join([INTRO, "## Table\n", head, *rows, *long, "\n## Tests\n", *sections])


def long_runs(held: dict[str, dict[str, Any]]) -> list[str]:
    """The section about what takes longer than the suite may."""
    fuzzed = {name.removeprefix("fuzz "): one for name, one in held.items() if name.startswith("fuzz ")}
    lines = [
        "\n## Long runs\n",
        "Not part of the suite. Soak and fuzzing write docs/long_runs.json with --keep; the kills are entered by hand.\n",
    ]
    if soak := held.get("soak"):
        end = (
            f"not the same bytes: {', '.join(soak['differing'])}"
            if soak["differing"]
            else "the same bytes in every file"
        )
        lines.append(
            f"- `make soak`: a run of {soak['steps']:,} steps, killed {soak['kills']} times in {soak['minutes']:.0f} minutes, "
            f"and one that was left alone ended with {end} ({soak['machine']})."
        )
    if kills := held.get("kills"):
        lines.append(
            f"- `NIGHTLY=1`, a run of pretraining killed {kills['kills']} times at random: {kills['outcome']} "
            f"({kills['machine']})."
        )
    if fuzzed:
        count, least = sum(one["cases"] for one in fuzzed.values()), min(one["minutes"] for one in fuzzed.values())
        lines += [
            f"- `make fuzz`: {len(fuzzed)} parsers, {least:g} minutes or more of each, {count:,} damaged inputs "
            f"({next(iter(fuzzed.values()))['machine']}):\n",
            "| parser | cases | findings |",
            "|---|---|---|",
            *(f"| {name} | {one['cases']:,} | {one['findings']} |" for name, one in fuzzed.items()),
        ]
    return lines


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{outcome} ({count} cases)" if count > 1 else outcome for outcome, count in counts.items())


def main(reports: list[str]) -> None:
    tests, results = marked(), told_before()
    with TemporaryDirectory() as folder:
        if not reports:
            reports = [f"{folder}/report.xml"]
            run(sorted({name.partition("::")[0] for names in tests.values() for name in names}), Path(reports[0]))
        for report in reports:
            results |= outcomes(Path(report))
    PAGE.write_text(page(tests, results), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
