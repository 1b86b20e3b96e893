"""A run watched in a browser while it is written: what was read is drawn, what is new comes by itself."""

import json
import re
import signal
import subprocess
import sys
from shutil import copytree
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from playwright.sync_api import expect

from electra.training.held_out import judged, tally
from electra.training.run import RunFolder, read_metrics
from electra.training.then_and_now import told

# Where tests run in the background of a shell, their processes would ignore Ctrl-C.
WATCH = """
import signal, sys
from electra.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def run(short_run, tmp_path):
    """A real run of ten steps, of which the records after the fifth are not written yet."""
    folder = RunFolder(copytree(short_run, tmp_path / "a run"))
    records, (folder.text,) = (list(read_metrics(path)) for path in (folder.metrics_file, folder.held_out_file))
    folder.forget_after(5)
    folder.later = [record for record in records if record["step"] > 5]
    return folder


@pytest.fixture
def address(run):
    """Of a page that watches it; Ctrl-C ends it well."""
    command = [sys.executable, "-c", WATCH, "watch", str(run.path), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())[0]
        process.send_signal(signal.SIGINT)
        assert (process.wait(timeout=60), process.stderr.read()) == (0, "")
    finally:
        process.kill()
        process.stderr.close()
        process.wait()


def ask(address, path):
    with urlopen(address + path, timeout=60) as answer:
        return json.load(answer)


def test_what_a_run_writes_is_drawn_while_it_is_written(run, address, browser):
    page = browser.new_context(viewport={"width": 360, "height": 800}).new_page()
    page.goto(address)
    first = list(read_metrics(run.metrics_file))[-1]
    expect(page.locator("#about")).to_contain_text("5 of 10 steps")
    expect(page.locator("#status")).to_have_text("training")
    expect(page.locator("#train")).to_contain_text(f"generator loss{first['mlm_loss']:.3g}")
    for record in run.later:
        run.append(record)
    expect(page.locator("#about")).to_contain_text("10 of 10 steps")
    expect(page.locator("#status")).to_have_text("finished")
    held_out = run.later[-1]
    assert held_out["kind"] == "evaluation"
    expect(page.locator("#evaluation")).to_contain_text(f"ROC-AUC{float(format(held_out['roc_auc'], '.3g')):g}")
    drawn = page.locator("polyline[data-metric=discriminator_loss]").first.get_attribute("points").split()
    assert len(drawn) == 2
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    run.forget_after(5)  # as a run does that goes on after a kill
    expect(page.locator("#about")).to_contain_text("5 of 10 steps")
    page.context.close()


def test_held_out_text_is_shown_as_the_networks_judged_it_of_any_evaluation(run, address, browser):
    page = browser.new_context(viewport={"width": 360, "height": 800}).new_page()
    page.goto(address)
    expect(page.locator("#status")).to_have_text("training")
    expect(page.locator("#text")).to_be_hidden()
    evaluation = run.later[-1]
    before = json.loads(json.dumps(run.text)) | {"step": 7}
    for row in before["rows"]:
        row["scores"] = [0.9999] * len(row["pieces"])  # suspects everything
    for text in (before, run.text):
        run.append_held_out(text)
        run.append(evaluation | {"step": text["step"]})
        expect(page.locator("#caption")).to_have_text(f"What it catches, after step {text['step']}")
        for number, row in enumerate(text["rows"]):
            shown = page.locator("#rows > div").nth(number)
            expect(shown.locator("h3")).to_have_text(told(row))
            for verdict in ("caught", "missed", "alarm"):
                expect(shown.locator(f"ruby.{verdict}")).to_have_count(tally(row).get(verdict, 0))
            pieces = "".join(("" if one.is_glued else " ") + one.text for one in judged(row)).strip()
            assert (
                shown.evaluate(
                    "d => { d.querySelectorAll('rt').forEach((e) => e.remove()); return d.querySelector('p').textContent; }"
                )
                == pieces
            )
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    chooser = page.get_by_role("slider", name="evaluation")
    expect(chooser).to_have_attribute("aria-valuetext", "after step 10")
    chooser.press("ArrowLeft")
    expect(page.locator("#caption")).to_have_text("What it catches, after step 7")
    run.append(run.later[0] | {"step": 10})  # what comes does not take the chosen one away
    expect(page.locator("#about")).to_contain_text("10 of 10 steps")
    expect(page.locator("#caption")).to_have_text("What it catches, after step 7")
    run.forget_after(5)
    expect(page.locator("#text")).to_be_hidden()
    page.context.close()


CONTRAST = """verdict => {
  const part = (text) => text.match(/[0-9.]+/g).slice(0, 3).map(Number);
  const light = (c) => part(c).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const span = document.createElement("span");
  span.className = verdict;
  document.querySelector("#legend").append(span);
  const style = getComputedStyle(span), all = [style.color, style.backgroundColor].map(light).sort((a, b) => b - a);
  const line = [style.textDecorationColor, style.backgroundColor].map(light).sort((a, b) => b - a);
  return [(all[0] + 0.05) / (all[1] + 0.05), (line[0] + 0.05) / (line[1] + 0.05), style.textDecorationStyle];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_marked_is_readable_and_told_apart_without_colours(address, browser, scheme):
    page = browser.new_context(color_scheme=scheme).new_page()
    page.goto(address)
    expect(page.locator("#status")).to_have_text("training")
    found = {verdict: page.evaluate(CONTRAST, verdict) for verdict in ("caught", "missed", "alarm")}
    for verdict, (text, underline, _) in found.items():
        assert text >= 7, verdict  # WCAG 2, level AAA
        assert underline >= 3, verdict
    assert len({style for _, _, style in found.values()}) == 3
    page.context.close()


def test_records_are_told_once_and_only_when_they_are_whole(run, address):
    first = ask(address, "/v1/records?begin=0")
    assert [record["step"] for record in first["records"]] == [5]
    place = f"/v1/records?begin={first['end']}&mark={first['mark']}"
    assert ask(address, place)["records"] == []
    with run.metrics_file.open("a") as file:
        file.write('{"kind": "train", "st')
    assert ask(address, place)["end"] == first["end"]
    with run.metrics_file.open("a") as file:
        file.write('ep": 6}\n')
    assert ask(address, place)["records"] == [{"kind": "train", "step": 6}]
    run.forget_after(5)
    assert [record["step"] for record in ask(address, place)["records"]] == [5]


def test_only_the_page_and_the_run_are_to_be_had(address):
    with urlopen(address, timeout=60) as answer:
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert ask(address, "/v1/run")["name"] == "a run"
    assert ask(address, "/v1/held_out?step=../../10") == ask(address, "/v1/held_out") == {"rows": []}
    for path in (
        "/settings.json",
        "/assets/../../settings.json",
        "/assets/page.js",
        "/metrics.jsonl",
        "/held_out.jsonl",
    ):
        with pytest.raises(HTTPError) as caught:
            urlopen(address + path, timeout=60)
        with caught.value as refused:
            assert refused.code == 404


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "electra", "watch", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "is not a run folder" in done.stderr) == (65, True)
