"""Operations of pretraining, counted as the paper counts them, so that runs can be held against its figures and each other.

Unusual here, and the paper's: a multiplication with its addition is two operations, an exponential is one, looking up an
embedding is a product with the whole table, the backward pass costs what the forward pass costs, and padding is counted. The
share of tokens the generator is asked about is fixed, whatever the masking. Source: Clark et al. (2020), section 3.1 and
appendix; google-research/electra, flops_computation.py.

`multiplied` is another count, of what a step really multiplies: it is what a processor's or GPU's peak is compared with.
"""

from collections.abc import Mapping

from electra.config import ElectraConfig

PREDICTED_SHARE = 0.15625  # of the tokens, 20 of 128: the paper's for every model
ASKED = ("generator", "masked_lm", "cloze")  # networks that name tokens
PASSES = 2  # forward and backward, each counted once
DROPOUT, LAYER_NORM, ACTIVATION, SOFTMAX = 4, 5, 8, 5  # operations an element


def step_flops(networks: Mapping[str, ElectraConfig], *, length: int, batch_size: int) -> float:
    """Operations of one update on `batch_size` rows of `length` tokens.

    networks   as PretrainSettings.networks answers: discriminator and generator, or those of another objective
    """
    per_token = 0.0
    for name, config in networks.items():
        per_token += _encoder(config, length) if has_encoder(name, networks) else 0
        per_token += _detection(config) if name == "discriminator" else 0
        per_token += _vocabulary(config) if name in ASKED else 0
    return per_token * length * batch_size * PASSES


def has_encoder(name: str, networks: Mapping[str, ElectraConfig]) -> bool:
    """Whether a network of a run has an encoder of its own: the towers' head, and a second head on one encoder, have none."""
    return name != "cloze" and not (name == "masked_lm" and "discriminator" in networks)


def inference_flops(config: ElectraConfig, *, length: int) -> float:
    """Operations of one row of `length` tokens through a discriminator."""
    return (_encoder(config, length) + _detection(config)) * length


def multiplied(networks: Mapping[str, ElectraConfig], *, length: int, batch_size: int, predicted: float) -> float:
    """Operations of the matrix products of one update, the backward pass being two forward passes; `predicted`: as masked."""
    per_token = 0.0
    for name, config in networks.items():
        v = vars(config)
        h, e, i, layers = v["hidden_size"], v["embedding_size"], v["intermediate_size"], v["num_hidden_layers"]
        if has_encoder(name, networks):
            per_token += layers * (8 * h * h + 4 * h * length + 4 * h * i) + (2 * e * h if e != h else 0)
        per_token += 2 * h * h if name == "discriminator" else 0
        per_token += predicted * (2 * h * e + 2 * e * v["vocab_size"]) if name in ASKED else 0
    return per_token * length * batch_size * 3


def _encoder(config: ElectraConfig, length: int) -> float:
    """Operations a token: embeddings and all layers."""
    v = vars(config)
    h, heads, i, e = v["hidden_size"], v["num_attention_heads"], v["intermediate_size"], v["embedding_size"]
    attention = (
        6 * h * h + 3 * h  # query, key and value
        + 2 * h * length + (SOFTMAX + DROPOUT + 1) * length * heads + 2 * h * length  # scores, scaled; their weighted sum
        + 2 * h * h + h + DROPOUT * h + h + LAYER_NORM  # once, not per element: so the original
    )  # fmt: skip
    feed_forward = 4 * h * i + ACTIVATION * i + i + h + DROPOUT * h + h + LAYER_NORM * h
    embeddings = 2 * e * v["vocab_size"] + 2 * e * (length + 2) + 2 * e + LAYER_NORM * e + DROPOUT * e
    projection = 2 * h * e + h if e != h else 0
    count: float = v["num_hidden_layers"] * (attention + feed_forward) + embeddings + projection
    return count


def _detection(config: ElectraConfig) -> float:
    """Operations a token of the discriminator's head."""
    h: float = vars(config)["hidden_size"]
    return 2 * h * h + h + ACTIVATION * h + 2 * h


def _vocabulary(config: ElectraConfig) -> float:
    """Operations a token of the generator's head, which is asked about some of them."""
    h, e, size = (vars(config)[key] for key in ("hidden_size", "embedding_size", "vocab_size"))
    asked: float = 2 * h * e + e + ACTIVATION * e + LAYER_NORM * e + 2 * e * size + (SOFTMAX + 2) * size
    return PREDICTED_SHARE * asked
