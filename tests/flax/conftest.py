"""JAX on the CPU, and compiled without optimizing: tests compile far more than they compute."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax

jax.config.update("jax_disable_most_optimizations", True)
