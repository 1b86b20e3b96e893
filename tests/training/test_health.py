"""Good runs are left in peace; what goes wrong is named. Records are those of real runs, or shaped from them."""

import json
from pathlib import Path

import pytest
from small_run import small_settings

from electra.training.findings import RULES, History
from electra.training.health import PATIENCE, Health, health_of
from electra.training.pretrain import pretrain
from electra.training.report import write_report
from electra.training.run import RunFolder, read_metrics
from electra.training.settings import preset

RECORDED = Path(__file__).parent / "recorded"
RESULTS = Path(__file__).parents[2] / "docs" / "results"


def recorded(name):
    """The records of a run, as metrics.jsonl had them."""
    held = json.loads((RECORDED / f"{name}.json").read_text())
    return [{"kind": kind} | dict(zip(held[kind], values, strict=True)) for kind, *values in held["records"]]


def told(records, settings=None, corpus_tokens=57_000_000):
    health = health_of(settings or preset("tiny"), corpus_tokens)
    return [line for record in records for line in health.look(record)]


def begun(lines):
    return [line["finding"] for line in lines if line["state"] == "begins"]


def test_a_good_run_is_left_in_peace():
    assert told(recorded("good")) == []


def test_a_good_run_from_which_others_took_the_processor_hears_of_that_alone():
    lines = told(recorded("demo"), corpus_tokens=1_900_000)
    assert begun(lines) == ["slower"]
    assert "1,992 tokens/s, in the median of the run 17,585" in lines[0]["text"]


def test_the_evaluations_of_the_longest_run_we_have_are_left_in_peace():
    assert told(read_metrics(RESULTS / "tiny-english.jsonl")) == []


def test_a_small_corpus_is_named_with_its_epochs():
    lines = told(recorded("small_corpus"), corpus_tokens=11_000)
    assert begun(lines) == ["overfitting"]
    assert "the corpus was seen " in lines[0]["text"]
    assert "prepare more text" in lines[0]["advice"]


def test_a_learning_rate_ten_times_too_high_is_named():
    lines = told(recorded("high_rate"), preset("tiny", learning_rate=5e-3))
    assert begun(lines) == ["no_gain"]
    assert "knows no more than how many tokens are replaced" in lines[0]["text"]


# what of a good run's records becomes what after its half, and what is then found, and nothing else
SPOILED = {
    "collapse": ("train", {"accuracy_on_replaced": 0.001, "accuracy_on_original": 0.9999}),
    "divergence": ("train", {"mlm_loss": 7.4}),
    "slower": ("train", {"tokens_per_second": 9_000}),
    "generator_strong": ("evaluation", {"sampled_accuracy": 0.7, "replaced_share": 0.045}),
    "generator_weak": ("evaluation", {"sampled_accuracy": 0.05, "roc_auc": 0.991}),
}


@pytest.mark.parametrize("finding", SPOILED)
def test_what_is_wrong_is_named_once_and_is_over_when_it_is_over(finding):
    kind, values = SPOILED[finding]
    records = recorded("good")
    evaluations = [record for record in records if record["kind"] == "evaluation"]
    records += [one | {"step": 12_500 + 500 * number} for number, one in enumerate(evaluations * 3)]
    places = [number for number, record in enumerate(records) if record["kind"] == kind]
    half = len(places) // 2
    for number in places[half : half + (40 if kind == "train" else 3)]:
        records[number] |= values
    lines = [line for line in told(records) if line["finding"] == finding]
    assert [line["state"] for line in lines] == ["begins", "over"]
    assert lines[0]["advice"] == RULES[finding].advice
    assert lines[0]["step"] < lines[1]["step"]


def test_a_discriminator_that_learns_nothing_is_named():
    records = [
        record | ({"gain_over_prior": 0.0005, "discriminator_loss": record["prior_loss"]} if "prior_loss" in record else
                  {"discriminator_loss": 0.37, "accuracy_on_replaced": 0.0, "accuracy_on_original": 1.0})
        for record in recorded("good")
    ]  # fmt: skip
    assert begun(told(records)) == ["no_gain"]


def test_a_curve_that_is_flat_long_before_the_end_is_named():
    evaluation = next(record for record in reversed(recorded("good")) if record["kind"] == "evaluation")
    train = next(record for record in recorded("good")[40:] if record["kind"] == "train")
    records = []
    for step in range(500, 20_000, 500):
        records += [train | {"step": step}, evaluation | {"step": step}]
    assert begun(told(records)) == ["plateau"]
    late = [record | ({"learning_rate": 1e-5} if record["kind"] == "train" else {}) for record in records]
    assert told(late) == []  # the schedule's end is flat in every run


def test_nothing_is_judged_while_a_run_warms_up():
    settings = preset("tiny", warmup_steps=50_000)
    records = [
        record | ({"gain_over_prior": 0.0, "sampled_accuracy": 0.9} if record["kind"] == "evaluation" else {})
        for record in recorded("good")
    ]
    assert told(records, settings) == []


def test_a_continued_run_recalls_what_was_told(tmp_path):
    whole, lines = told(recorded("small_corpus"), corpus_tokens=11_000), []
    run = RunFolder(tmp_path)
    health = Health(History(warm=200, learning_rate=5e-4, corpus_tokens=11_000))
    for number, record in enumerate(recorded("small_corpus")):
        if number % 9 == 5:  # killed, and continued
            health = Health(History(warm=200, learning_rate=5e-4, corpus_tokens=11_000))
            health.recall(run, [], record["step"])
        found = health.look(record)
        run.append(record, *found)
        lines += found
    assert lines == whole
    assert PATIENCE > 1


def test_a_real_run_writes_what_is_wrong_and_the_report_shows_it(corpus, tmp_path, capfd):
    """A rate at which these networks unlearn: the first lines are better than the later ones."""
    settings = small_settings(
        steps=300,
        warmup_steps=100,
        learning_rate=0.3,
        clip_norm=1e9,
        log_every=2,
        eval_every=100,
        checkpoint_every=1000,
    )
    pretrain(settings, corpus, tmp_path / "run", panel=False)
    lines = [record for record in read_metrics(tmp_path / "run" / "metrics.jsonl") if record["kind"] == "health"]
    assert "divergence" in begun(lines)
    assert lines[0]["text"] in capfd.readouterr().err
    page = write_report(tmp_path / "run").read_text()
    assert "<h2>Health</h2>" in page
    assert "divergence" in page
    assert "operations as the paper counts them" in page
    flops = [
        record["flops"] for record in read_metrics(tmp_path / "run" / "metrics.jsonl") if record["kind"] == "train"
    ]
    assert flops[-1] == pytest.approx(150 * flops[0])  # lines are two steps apart
