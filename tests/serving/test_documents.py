"""The page about serving says what is true: its program runs, its limits are the server's, its codes and metrics exist."""

import re
from dataclasses import fields
from pathlib import Path

from served import KEY

from electra.serving.limits import Limits

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/serve.md").read_text(encoding="utf-8")


def test_the_program_of_the_page_runs(server, capfd):
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    for old, new in (
        ("127.0.0.1:8000", f"127.0.0.1:{server.port}"),
        (', ""', f', "{KEY}"'),
        ('"topics"', '"classification"'),
    ):
        assert program.count(old) == 1
        program = program.replace(old, new)
    exec(compile(program, "serve.md", "exec"), {})
    assert re.fullmatch(r"((calm|wild) 0\.\d+\n){2}", capfd.readouterr().out)


def test_the_limits_of_the_page_are_the_defaults():
    told = dict(re.findall(r"^\| `--([a-z-]+)` \| (\d+) \|", PAGE, re.MULTILINE))
    assert told == {field.name.replace("_", "-"): str(int(field.default)) for field in fields(Limits)}


def test_the_metrics_of_the_page_are_those_of_the_server(server):
    told = set(re.findall(r"^\| `(electra_\w+)`", PAGE, re.MULTILINE))
    assert told == set(re.findall(r"^# TYPE (\S+)", server.ask("GET", "/metrics")[2], re.MULTILINE))


def test_the_codes_of_the_page_are_those_of_the_source():
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/electra/serving").glob("*.py"))
    (rows,) = re.findall(r"\| status \| codes \|.*?\n\n", PAGE, re.DOTALL)
    known = set(re.findall(r'(?:[45]\d\d[,:]\s+|return )"(\w+)"', source))
    assert set(re.findall(r"`([a-z_]+)`", rows)) == known - {"left"}  # nobody is there to read that one
