"""The optimizer against variables and moments the original optimizer left after 1 to 100 updates."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from electra.torch.optim import Adam
from electra.training.schedule import learning_rate

GOLDENS = Path(__file__).parents[1] / "goldens" / "google"
GOLDEN = json.loads((GOLDENS / "adam.json").read_text())


def rate_of(run, step):
    if "num_train_steps" not in run:
        return run["learning_rate"]
    total = run["num_train_steps"]
    warmup = run["warmup_steps"] if "warmup_steps" in run else total * run["warmup_proportion"]
    shift = 1 if "rate_of_next_step" in run["name"] else 0
    return learning_rate(
        step + shift,
        base=run["learning_rate"],
        total_steps=total,
        warmup_steps=warmup,
        power=run.get("lr_decay_power", 1.0),
    )


def make_variables():
    return {name: torch.nn.Parameter(torch.tensor(value)) for name, value in GOLDEN["initial"].items()}


def step(optimizer, variables, run, number):
    for name, variable in variables.items():
        variable.grad = torch.tensor(GOLDEN["gradients"][str(number % 6)][name])
    norm = optimizer.gradient_norm() if run["clip"] else None
    optimizer.update(learning_rate=rate_of(run, number), norm=norm, clip_norm=run["clip"])


@pytest.mark.parametrize("run", GOLDEN["runs"], ids=lambda run: run["name"])
def test_a_hundred_updates_follow_the_original(run):
    variables = make_variables()
    optimizer = Adam(variables, weight_decay=run["weight_decay_rate"], epsilon=1e-6)
    for number in range(100):
        step(optimizer, variables, run, number)
        expected = run["values_after"].get(str(number + 1))
        if expected is None:
            continue
        for name, variable in variables.items():
            np.testing.assert_allclose(variable.detach(), expected[name], atol=2e-6, rtol=2e-6, err_msg=name)
            np.testing.assert_allclose(
                optimizer.state[f"{name}/m"], expected[f"{name}/adam_m"], atol=1e-6, rtol=1e-5, err_msg=name
            )
            np.testing.assert_allclose(
                optimizer.state[f"{name}/v"], expected[f"{name}/adam_v"], atol=1e-6, rtol=1e-5, err_msg=name
            )


def test_saved_moments_continue_bit_for_bit():
    run = GOLDEN["runs"][0]
    whole, part = make_variables(), make_variables()
    optimizer = Adam(whole, weight_decay=0.01, epsilon=1e-6)
    for number in range(6):
        step(optimizer, whole, run, number)

    first = Adam(part, weight_decay=0.01, epsilon=1e-6)
    for number in range(3):
        step(first, part, run, number)
    second = Adam(part, weight_decay=0.01, epsilon=1e-6)
    second.load(first.state)
    for number in range(3, 6):
        step(second, part, run, number)
    assert all(torch.equal(whole[name], part[name]) for name in whole)


def test_the_two_step_vector_of_the_original():
    weight = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = Adam({"kernel": weight}, weight_decay=0.01, epsilon=1e-6)
    for expected in (0.996828722, 0.992570112):
        weight.grad = torch.tensor([0.1])
        optimizer.update(learning_rate=1e-3)
        assert weight.item() == pytest.approx(expected, abs=1e-7)
