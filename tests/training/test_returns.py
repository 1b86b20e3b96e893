"""A run that fails goes back to its last good checkpoint where that is asked for, past the batches that led to the fault.

Faults are real: weights that a flipped bit made huge, in the networks of a run under way.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small_run import small_settings

from electra.errors import RunFailedError
from electra.torch.backend import Backend
from electra.training.divergence import LIMITS, STEPS, Means, batch_number
from electra.training.pretrain import pretrain
from electra.training.run import RunFolder, read_metrics
from electra.training.steps import Steps

TIMES = {"seconds", "seconds_left", "tokens_per_second"}


@pytest.fixture
def flip(monkeypatch):
    """flip(batches, factor): once each, before the updates on these batches, one matrix of the discriminator is multiplied."""
    seen = []

    def arrange(corpus, settings, batches, factor):
        poison = {Steps(corpus, "train", settings)(number)[0][0].input_ids.tobytes(): number for number in batches}
        step = Backend.train_step

        def train_step(self, parts, **rest):
            number = poison.pop(parts[0][0].input_ids.tobytes(), None)
            if number is not None:
                with torch.no_grad():
                    self.models["discriminator"].electra.encoder.layer[0].output.dense.weight.mul_(factor)
                    self.models["discriminator"].discriminator_predictions.dense_prediction.weight.mul_(factor)
            seen.append(parts[0][0].input_ids.tobytes())
            return step(self, parts, **rest)

        monkeypatch.setattr(Backend, "train_step", train_step)
        return seen

    return arrange


def lines(run, kind):
    return [record for record in read_metrics(run / "metrics.jsonl") if record["kind"] == kind]


def test_a_run_goes_on_past_a_fault_from_its_last_checkpoint(corpus, tmp_path, flip, capfd):
    settings = small_settings(on_divergence="return")
    seen = flip(corpus, settings, [17], float("inf"))
    pretrain(settings, corpus, tmp_path / "run", panel=False)

    (one,) = json.loads((tmp_path / "run" / "returns.json").read_text())["returns"]
    assert (one["at"], one["to"], one["next_batch"]) == (18, 15, 18)
    order = [*range(18), *range(18, 18 + 25)]  # updates 16 to 40 are made with the batches after the one that failed
    assert seen == [Steps(corpus, "train", settings)(number)[0][0].input_ids.tobytes() for number in order]
    assert [record["step"] for record in lines(tmp_path / "run", "train")] == [5, 10, 15, 20, 25, 30, 35, 40]
    (told,) = lines(tmp_path / "run", "health")
    assert (told["finding"], told["state"], told["step"]) == ("return", "happened", 15)
    assert "returned to the checkpoint after step 15, its batches up to 17 are skipped" in told["text"]
    assert told["text"] in capfd.readouterr().err
    assert (tmp_path / "run" / "discriminator" / "model.safetensors").is_file()


def test_without_being_asked_to_a_run_stops_and_says_that_it_could_go_on(corpus, tmp_path, flip):
    flip(corpus, small_settings(), [17], float("inf"))
    with pytest.raises(RunFailedError, match="on_divergence return goes on past it"):
        pretrain(small_settings(), corpus, tmp_path / "run", panel=False)
    assert not (tmp_path / "run" / "returns.json").exists()
    pretrain(
        small_settings(on_divergence="return"), corpus, tmp_path / "run", panel=False
    )  # the fault does not come again
    assert lines(tmp_path / "run", "train")[-1]["step"] == 40


def test_a_run_that_fails_again_and_again_stops(corpus, tmp_path):
    settings = small_settings(
        learning_rate=1e30, clip_norm=1e30, warmup_steps=0, checkpoint_every=1, on_divergence="return", max_returns=2
    )
    with pytest.raises(RunFailedError, match="stopped"):
        pretrain(settings, corpus, tmp_path / "run", panel=False)
    assert len(json.loads((tmp_path / "run" / "returns.json").read_text())["returns"]) <= 2


def test_a_fault_before_the_first_checkpoint_has_nowhere_to_return_to(corpus, tmp_path, flip):
    settings = small_settings(on_divergence="return")
    flip(corpus, settings, [3], float("inf"))
    with pytest.raises(RunFailedError, match="no good checkpoint to return to"):
        pretrain(settings, corpus, tmp_path / "run", panel=False)


def test_losses_that_grow_are_seen_and_undone(corpus, tmp_path, flip):
    settings = small_settings(steps=120, on_divergence="return", keep_checkpoints=20)
    flip(corpus, settings, [80], 100.0)
    pretrain(settings, corpus, tmp_path / "run", panel=False)
    (one,) = json.loads((tmp_path / "run" / "returns.json").read_text())["returns"]
    assert "discriminator loss is" in one["reason"]
    assert one["to"] <= 80 < one["at"] <= 80 + STEPS
    assert lines(tmp_path / "run", "train")[-1]["discriminator_loss"] < 0.7


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import torch
from small_run import small_settings
from electra.torch.backend import Backend
from electra.training import divergence, pretrain as module

step = Backend.train_step
def train_step(self, parts, *, step: int, learning_rate: float, _do=step):
    if parts[0][0].input_ids.tobytes() == POISON:
        with torch.no_grad():
            self.models["discriminator"].electra.encoder.layer[0].output.dense.weight.mul_(float("inf"))
    return _do(self, parts, step=step, learning_rate=learning_rate)

corpus, run, where = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
settings = small_settings(on_divergence="return", keep_checkpoints=20)
POISON = module.Steps(corpus, "train", settings)(17)[0][0].input_ids.tobytes()
Backend.train_step = train_step
if where == "after the decision":
    divergence.Returns.remove_abandoned = lambda self: self.all and os.kill(os.getpid(), signal.SIGKILL)
elif where == "while it goes on":
    whole = module.Pretraining._report
    def report(self, at, *rest):
        whole(self, at, *rest)
        if self.returns.all and at == 25:
            os.kill(os.getpid(), signal.SIGKILL)
    module.Pretraining._report = report
module.pretrain(settings, corpus, run, panel=False)
"""


@pytest.mark.parametrize("where", ["after the decision", "while it goes on"])
def test_a_run_killed_around_its_return_ends_as_one_that_was_not(corpus, tmp_path, where):
    program = KILLED.format(tests=str(Path(__file__).parent))

    def attempt(name, moment):
        command = [sys.executable, "-c", program, corpus, tmp_path / name, moment]
        return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})

    assert attempt("killed", where).returncode == -9
    for name in ("killed", "whole"):
        done = attempt(name, "nowhere")
        assert done.returncode == 0, done.stderr
    for network in ("discriminator", "generator"):
        killed, whole = ((tmp_path / name / network / "model.safetensors").read_bytes() for name in ("killed", "whole"))
        assert killed == whole
    records = [
        [
            {k: v for k, v in record.items() if k not in TIMES}
            for record in read_metrics(tmp_path / name / "metrics.jsonl")
        ]
        for name in ("killed", "whole")
    ]
    assert records[0] == records[1]
    assert [path.name for path in RunFolder(tmp_path / "killed").steps()] == [
        path.name for path in RunFolder(tmp_path / "whole").steps()
    ]


def test_the_batch_of_an_update_follows_the_newest_jump_before_it():
    jumps = ((15, 18), (30, 40), (20, 50))
    assert [batch_number(update, jumps) for update in (0, 14, 15, 19, 20, 29, 30)] == [0, 14, 18, 22, 50, 59, 60]


def test_means_tell_growth_and_what_is_good_and_survive_json():
    means = Means()
    for _ in range(2 * STEPS):
        assert means.add({"mlm_loss": 6.0, "discriminator_loss": 0.25}) is None
    assert means.is_good
    assert means.add({"mlm_loss": 9.0, "discriminator_loss": 0.25}) is None  # one bad step is none
    again = Means(json.loads(json.dumps(means.values)))
    told = [again.add({"mlm_loss": 9.0, "discriminator_loss": 0.25}) for _ in range(STEPS)]
    assert told == [means.add({"mlm_loss": 9.0, "discriminator_loss": 0.25}) for _ in range(STEPS)]
    first = next(number for number, text in enumerate(told) if text)
    assert told[first].startswith("the mlm loss is 6.9")
    assert not again.is_good
    assert 6.0 * (1 + LIMITS["mlm_loss"][0]) == pytest.approx(6.9)
