"""First weights, the same numbers in every framework: the original's distributions, not Hugging Face's.

Truncated normal (cut at two standard deviations), Glorot uniform for embeddings_project and the layers that make a head's
decision, biases 0, LayerNorm 1 and 0; no zero row for [PAD]. Source: google-research/electra, model/modeling.py.
"""

import math
import zlib
from collections.abc import Mapping

import numpy as np

from electra.config import ElectraConfig
from electra.local_start import start_locally
from electra.weights.names import Shape, canonical, is_glorot, tensors

Array = np.ndarray

# the networks of pretraining -> the part of weights/names.py that lists the tensors of its head; "" for a bare encoder
NETWORKS = {
    "discriminator": "pretraining",
    "generator": "masked_lm",
    "masked_lm": "masked_lm",
    "generator_ltr": "",
    "generator_rtl": "",
    "cloze": "cloze",
}
SEEDS = 3  # between those of two runs: as many networks as have tensors of the same names


def first_weights(shapes: Mapping[str, Shape], std: float, seed: int) -> dict[str, Array]:
    """Name -> first value, float32, in our layout. A tensor's numbers follow from the seed and its name alone."""
    return {name: _first(name, shape, std, seed) for name, shape in shapes.items()}


def first_networks(configs: Mapping[str, ElectraConfig], *, seed: int, start: str) -> dict[str, dict[str, Array]]:
    """The first weights of the networks of a run, by name; the generator's embeddings are to be the discriminator's.

    start    "local": the discriminator, or the one network there is, begins as electra.local_start says
    """
    networks = {}
    for number, (name, config) in enumerate(configs.items()):
        networks[name] = first_weights(
            shapes_of(name, config), vars(config)["initializer_range"], seed_of(number, seed)
        )
    if start == "local":
        first = next(iter(configs))
        networks[first] |= start_locally(networks[first], configs[first])
    return networks


def shapes_of(network: str, config: ElectraConfig) -> dict[str, Shape]:
    """Name -> shape of every tensor of a network of pretraining; a bare encoder's names are without `electra.`."""
    part = NETWORKS[network]
    if part == "cloze":
        return tensors(config, part)
    if not part:
        return {name.removeprefix("electra."): shape for name, shape in tensors(config).items()}
    return tensors(config) | tensors(config, part)


def seed_of(number: int, seed: int) -> int:
    """The seed of a run's network: a generator as wide as its discriminator must not begin as its copy."""
    return SEEDS * seed + number


def _first(name: str, shape: Shape, std: float, seed: int) -> Array:
    module, _, leaf = name.rpartition(".")
    if leaf == "bias":
        return np.zeros(shape, np.float32)
    if module.endswith("LayerNorm"):
        return np.ones(shape, np.float32)
    rng = np.random.default_rng([seed, zlib.crc32(canonical(name).encode())])
    if is_glorot(module):
        limit = np.float32(math.sqrt(6 / sum(shape)))
        return rng.uniform(-limit, limit, shape).astype(np.float32)
    return np.float32(std) * _truncated_normal(rng, shape)


def _truncated_normal(rng: np.random.Generator, shape: Shape) -> Array:
    """Normal numbers between -2 and 2: what lies beyond is drawn again."""
    values: Array = rng.standard_normal(shape, np.float32)
    while (beyond := np.abs(values) > 2).any():
        values[beyond] = rng.standard_normal(int(beyond.sum()), np.float32)
    return values
