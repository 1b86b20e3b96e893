"""A plan's numbers are the run's own: parameters, checkpoints and steps that a real run has; the rest is said to be assumed."""

import json

import pytest
from small_run import MODEL, small_settings

from electra.cli import main
from electra.cli.plan import corpus_of, prices_of
from electra.errors import UsageError
from electra.planning.machines import ACCELERATORS, EFFICIENCY, KERNELS, LAUNCH, reckon
from electra.planning.measure import Measured
from electra.planning.plan import job_of, make_plan
from electra.planning.shown import duration, lines
from electra.training.run import read_metrics
from electra.training.settings import preset

# Trained parameters of both networks together, as the original's have them.
PARAMETERS = {"small": 14_196_219, "small++": 23_122_875, "base": 119_386_427, "large": 354_655_291}


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_presets_have_the_originals_parameters(name):
    assert job_of(10**9, preset(name, batch_size=1)).parameters == PARAMETERS[name]


def test_a_plan_of_a_corpus_is_what_its_run_then_was(corpus, short_run):
    plan = make_plan(corpus, small_settings(steps=10), seconds=1.0, prices={"here": 2.0, "A100": 3.0}, gpus=[1])
    held = json.loads((short_run / "settings.json").read_text())
    assert plan["run"]["parameters"] == held["machine"]["parameters"]
    last = [record for record in read_metrics(short_run / "metrics.jsonl") if record["kind"] == "train"][-1]
    assert plan["run"]["tokens"] == pytest.approx(last["tokens"], rel=0.05)  # rows differ in their padding
    assert plan["run"]["flops"] == last["flops"]
    checkpoint = short_run / "checkpoints" / "step-00000010"
    tensors = sum(path.stat().st_size for path in checkpoint.rglob("*.safetensors"))
    assert plan["disk"]["checkpoint"] == pytest.approx(tensors, rel=0.1)  # headers are a part of so small files
    assert plan["disk"]["checkpoint"] < tensors
    here = plan["here"]
    assert here["measured"][0]["rows"] == 8  # fewer are too few tokens to be worth it
    assert here["as_set"]["seconds"] >= 10 * 8 * 25 / here["as_set"]["tokens_per_second"]
    assert here["as_set"]["cost"] == pytest.approx(2.0 * here["as_set"]["seconds"] / 3600)
    assert 10**8 < here["as_set"]["peak_memory"] < 10**10
    json.dumps(plan)


def test_minutes_become_steps(corpus):
    plan = make_plan(corpus, small_settings(minutes=1.0), seconds=0.5, gpus=[])
    here = plan["here"]["as_set"]  # making batches and evaluations come on top, as in a run
    assert plan["run"]["tokens"] / here["tokens_per_second"] == pytest.approx(60, rel=0.05)
    assert here["seconds"] > 57
    with pytest.raises(UsageError, match="give steps"):
        make_plan(corpus, small_settings(minutes=1.0), seconds=0, gpus=[])


def test_an_update_in_parts_costs_its_first_part_and_the_others():
    one = Measured(rows=8, length=32, threads=1, tokens=200, first=0.5, more=0.4, peak_memory=0)
    assert one.update_seconds(8) == 0.5
    assert one.update_seconds(32) == pytest.approx(0.5 + 3 * 0.4)
    assert one.tokens_per_second(32) == pytest.approx(800 / 1.7)


def test_what_is_reckoned_follows_from_the_peak_and_the_assumptions():
    job = job_of(10**9, preset("base", batch_size=256, steps=1000))
    a100 = next(one for one in ACCELERATORS if one.name == "A100")
    one, eight = (reckon(a100, count, job.networks, job.settings, job.parameters) for count in (1, 8))
    from electra.flops import multiplied

    work = 1000 * multiplied(job.networks, length=512, batch_size=256, predicted=0.15)
    assert one.seconds == pytest.approx([work / (a100.peak * share) for share in reversed(EFFICIENCY[False])])
    assert one.seconds[0] / eight.seconds[0] == pytest.approx(8 * 0.95)
    assert one.parts > 1  # 256 rows of 512 tokens do not fit at once
    assert eight.rows * eight.parts >= 32
    assert max(one.memory, eight.memory) <= 0.8 * a100.memory


def test_a_small_model_is_no_faster_than_a_gpu_is_started():
    job = job_of(10**9, preset("tiny"))
    h100 = next(one for one in ACCELERATORS if one.name == "H100")
    fastest, slowest = reckon(h100, 1, job.networks, job.settings, job.parameters).seconds
    assert (fastest, slowest) == pytest.approx([20_000 * 4 * KERNELS * each for each in reversed(LAUNCH)])


def test_a_model_that_does_not_fit_says_so():
    settings = preset("large", model={"num_hidden_layers": 96}, batch_size=8)
    told = list(lines(make_plan(10**9, settings, seconds=0, gpus=[1])))
    t4, h200 = (next(line for line in told if line.lstrip().startswith(name)) for name in ("T4", "H200"))
    assert "none fits" in t4
    assert "none" not in h200


def test_the_command_prints_a_table_or_json(corpus, tmp_path, capsys):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        'preset = "tiny"\nstart = "original"\nsteps = 1000\nmax_length = 32\nbatch_size = 8\nthreads = 1\n[model]\n'
        + "\n".join(f"{key} = {value}" for key, value in MODEL.items())
    )
    words = [
        "plan",
        str(corpus),
        "--recipe",
        str(recipe),
        "--seconds",
        "0.2",
        "--price",
        "0.5",
        "--price",
        "H100=2",
        "--steps",
        "50",
    ]
    assert main(words) == 0
    told = capsys.readouterr().out
    for text in (
        "50 of 8 rows of 32 tokens",
        "as the paper counts them",
        "rows at once",
        "as set",
        "advice",
        "cost",
        "not measured",
    ):
        assert text in told, text
    assert main([*words, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["run"]["steps"] == 50
    assert {one["gpu"] for one in plan["elsewhere"] if "cost" in one} == {"H100"}
    assert not any(one["is_measured"] for one in plan["elsewhere"])
    assert len("\n".join(lines(plan))) > 500


def test_a_machine_that_others_use_is_said_to_be_busy(corpus):
    plan = make_plan(corpus, small_settings(steps=10), seconds=0.01, gpus=[])
    for load, is_busy in ((8.2 * plan["here"]["cores"], True), (0.1, False)):
        plan["here"]["load"] = load
        assert any("measure again then" in line for line in lines(plan)) == is_busy


def test_a_corpus_is_a_folder_or_a_number(tmp_path):
    assert corpus_of(str(tmp_path)) == tmp_path
    assert [corpus_of(text) for text in ("3.3e9", "3.3B", "3_300_000_000", "500k")] == [3_300_000_000] * 3 + [500_000]
    for text in ("corpora/missing", "-5", "0", "B", ""):
        with pytest.raises(UsageError, match="no number of tokens"):
            corpus_of(text)


def test_prices_have_names_that_exist():
    assert prices_of(("0.4", "H100=2.5")) == {"here": 0.4, "H100": 2.5}
    with pytest.raises(UsageError, match="an amount an hour"):
        prices_of(("H100=cheap",))
    with pytest.raises(UsageError, match=r'"H10" \(did you mean "H100"'):
        make_plan(10**6, preset("tiny"), seconds=0, prices={"H10": 1.0})


@pytest.mark.parametrize(
    ("seconds", "text"), [(40, "40 s"), (600, "10 min"), (7200, "2.0 hours"), (40 * 86400, "40.0 days")]
)
def test_durations_are_in_the_unit_a_person_would_choose(seconds, text):
    assert duration(seconds) == text
