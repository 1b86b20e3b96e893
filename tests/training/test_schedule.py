"""The learning rate against values the original code computed."""

import json
from pathlib import Path

import pytest

from electra.training.schedule import learning_rate

GOLDENS = Path(__file__).parents[1] / "goldens" / "google"
SCHEDULES = json.loads((GOLDENS / "schedules.json").read_text())["schedules"]


@pytest.mark.parametrize("case", SCHEDULES, ids=lambda case: f"{case['num_train_steps']}-{case.get('warmup_steps')}")
def test_the_rate_of_every_step_equals_the_original(case):
    total = case["num_train_steps"]
    warmup = case["warmup_steps"] if "warmup_steps" in case else total * case["warmup_proportion"]
    for step, expected in zip(case["steps"], case["values"], strict=True):
        if expected is None:  # 0 / 0 in the original: no warm-up and no step made yet
            continue
        rate = learning_rate(
            step,
            base=case["learning_rate"],
            total_steps=total,
            warmup_steps=warmup,
            power=case.get("lr_decay_power", 1.0),
        )
        # float32 there: the difference 1 - step / total loses digits near the end
        assert rate == pytest.approx(expected, rel=2e-5, abs=case["learning_rate"] * 1e-7), f"step {step}"


def test_without_warm_up_the_first_rate_is_the_base():
    assert learning_rate(0, base=3e-4, total_steps=10, warmup_steps=0) == 3e-4
