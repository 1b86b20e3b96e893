"""What a person sees of a run: plain lines without a terminal, a live panel on one, a page afterwards."""

import io
import json
import re
from shutil import copytree

import pytest

from electra.errors import DataError
from electra.training.held_out import tally
from electra.training.panel import Panel, clock
from electra.training.report import write_report
from electra.training.run import RunFolder, read_metrics
from electra.training.then_and_now import told

TRAIN = {
    "kind": "train", "step": 150, "seconds_left": 3725, "mlm_loss": 4.25, "discriminator_loss": 0.3311, "replaced_share": 0.112,
    "accuracy_on_replaced": 0.05, "accuracy_on_original": 0.99, "tokens_per_second": 41234.5,
}  # fmt: skip
EVALUATION = {"kind": "evaluation", "step": 150, "mlm_loss": 4.1, "roc_auc": 0.61, "average_precision": 0.17}


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def test_without_a_terminal_a_record_is_a_plain_line():
    stream = io.StringIO()
    with Panel("a run", 1000, stream) as panel:
        panel.show(TRAIN)
        panel.show(EVALUATION)
    first, second = stream.getvalue().splitlines()
    assert first == (
        "step     150/1,000: generator loss 4.250 nats, discriminator loss 0.3311 nats, tokens replaced 11.2%, "
        "replaced found 5.0%, originals kept 99.0%, tokens/s 41,234, 1h02m left"
    )
    assert second == "step     150 held-out: generator loss 4.100, ROC-AUC 0.610, average precision 0.170"


def test_a_terminal_gets_one_panel_with_both(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    with Panel("a run", 1000, stream) as panel:
        panel.show(TRAIN)
        panel.show(EVALUATION)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())
    for part in ("a run", "step 150 of 1,000, 1h02m left", "discriminator loss", "41,234", "held-out text", "0.610"):
        assert part in shown, part


@pytest.mark.parametrize(("seconds", "text"), [(9.9, "9s"), (185, "3m05s"), (7800, "2h10m")])
def test_times_are_short(seconds, text):
    assert clock(seconds) == text


def test_the_page_of_a_run_holds_everything_in_one_file(short_run):
    page = write_report(short_run).read_text()
    assert page.count("<svg") >= 8
    assert "run &lt;one&gt;" in page
    assert not re.findall(r"(?:src|href)=\"(?!#)", page)
    assert not re.findall(r"@import|url\((?!#)", page)
    for text in ("ROC-AUC", "class prior", "batch_size", "discriminator", "torch"):
        assert text in page, text


def test_the_page_of_a_run_shows_what_was_caught_at_the_first_evaluation_and_at_the_last(short_run, tmp_path):
    folder = RunFolder(copytree(short_run, tmp_path / "run"))
    (last,) = read_metrics(folder.held_out_file)
    first = json.loads(json.dumps(last)) | {"step": 5}
    for row in first["rows"]:
        row["scores"] = [0.9999] * len(row["pieces"])  # suspects everything
    folder.held_out_file.write_text(json.dumps(first) + "\n" + json.dumps(last) + "\n")
    page = write_report(folder.path).read_text()
    for record in (first, last):
        pairs = [pair for row in record["rows"] for pair in tally(row).items()]
        for verdict in ("caught", "missed", "alarm"):
            record[verdict] = sum(count for name, count in pairs if name == verdict)
        for row in record["rows"]:
            assert f"<h3>step {record['step']}: {told(row)}</h3>" in page
    assert first["missed"] == 0 < first["caught"]
    for verdict in ("caught", "missed", "alarm"):
        assert page.count(f'<ruby class="{verdict}"') == first[verdict] + last[verdict]
    assert page.count("</ruby>") == page.count("</rt>")
    assert "Does it mean what it says?" in page
    folder.held_out_file.unlink()  # as of a run by an older version
    assert "then and now" not in write_report(folder.path).read_text()


def test_a_page_of_a_run_under_way_is_made_of_what_there_is(short_run, tmp_path):
    lines = (short_run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "metrics.jsonl").write_text(lines[0] + lines[1][:20])
    (tmp_path / "settings.json").write_bytes((short_run / "settings.json").read_bytes())
    assert "<svg" in write_report(tmp_path, tmp_path / "page.html").read_text()


def test_a_folder_without_a_run_or_without_metrics_says_so(short_run, tmp_path):
    with pytest.raises(DataError, match=r"not a run folder: it has no settings\.json"):
        write_report(tmp_path)
    (tmp_path / "settings.json").write_bytes((short_run / "settings.json").read_bytes())
    with pytest.raises(DataError, match="has no metrics yet"):
        write_report(tmp_path)
