"""The optimizer against variables and moments the original optimizer left after 1 to 100 updates."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from electra.flax.optim import adam, clip, update
from electra.training.schedule import learning_rate

GOLDENS = Path(__file__).parents[1] / "goldens" / "google"
GOLDEN = json.loads((GOLDENS / "adam.json").read_text())


def rate_of(run, step):
    if "num_train_steps" not in run:
        return run["learning_rate"]
    total = run["num_train_steps"]
    warmup = run["warmup_steps"] if "warmup_steps" in run else total * run["warmup_proportion"]
    shift = 1 if "rate_of_next_step" in run["name"] else 0
    power = run.get("lr_decay_power", 1.0)
    return learning_rate(step + shift, base=run["learning_rate"], total_steps=total, warmup_steps=warmup, power=power)


@pytest.mark.parametrize("run", GOLDEN["runs"], ids=lambda run: run["name"])
def test_a_hundred_updates_follow_the_original(run):
    @jax.jit
    def step(variables, state, gradients, rate):
        gradients = clip(gradients, run["clip"])[0] if run["clip"] else gradients
        decay = run["weight_decay_rate"]
        return update(variables, gradients, state, learning_rate=rate, weight_decay=decay, epsilon=1e-6)

    variables = {name: jnp.array(value, jnp.float32) for name, value in GOLDEN["initial"].items()}
    state = adam(variables)
    for number in range(100):
        gradients = {name: jnp.array(GOLDEN["gradients"][str(number % 6)][name], jnp.float32) for name in variables}
        variables, state = step(variables, state, gradients, rate_of(run, number))
        expected = run["values_after"].get(str(number + 1), {})
        for name in variables if expected else ():
            np.testing.assert_allclose(variables[name], expected[name], atol=2e-6, rtol=2e-6, err_msg=name)
            np.testing.assert_allclose(state["m"][name], expected[f"{name}/adam_m"], atol=1e-6, rtol=1e-5)
            np.testing.assert_allclose(state["v"][name], expected[f"{name}/adam_v"], atol=1e-6, rtol=1e-5)
