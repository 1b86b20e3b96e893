"""First weights whose first layer already looks at neighbouring words: what lets a tiny model learn in minutes.

From the usual first weights, attention is spread evenly over the row, and finding out that the neighbours of a word tell
whether it belongs takes the first millions of tokens. Here some dimensions of the embedding carry nothing but the
position, as sines and cosines, and each head of the first layer begins by looking at one offset: -1, +1, -2, +2, ...
All of it is trained from there on. The discriminator alone starts so: the generator is better slow to learn. Ours, not
the paper's; measured in docs/results.md.

How a head looks o to the side: its query copies sin(pw) and cos(pw) of its position p for several rates w, and its key
turns those of position q back by ow. Their product is the sum of cos((p + o - q)w), which is greatest at q = p + o.
"""

import numpy as np

from electra.config import ElectraConfig
from electra.errors import ConfigError

Array = np.ndarray

DIMENSIONS = 32  # of the embedding that carry the position: sines, then cosines
AMPLITUDE = 0.1  # of the position table there
SHARPNESS = 1.5  # of queries and keys: a head gives its offset nearly all of its attention
FASTEST = 2.0  # radians a position of the fastest sine
FIRST_LAYER = "electra.encoder.layer.0.attention.self"


def start_locally(tensors: dict[str, Array], config: ElectraConfig) -> dict[str, Array]:
    """The tensors that differ from the usual first weights `tensors`, by Hugging Face's names.

    Raises ConfigError where the encoder has no room for the positions.
    """
    width = config.hidden_size // config.num_attention_heads
    if config.embedding_size != config.hidden_size or width < DIMENSIONS or config.num_hidden_layers < 1:
        raise ConfigError(
            f"a local start needs embedding_size equal to hidden_size and heads at least {DIMENSIONS} wide; found "
            f"embedding_size {config.embedding_size}, hidden_size {config.hidden_size}, heads {width} wide"
        )
    half = DIMENSIONS // 2
    rates = FASTEST * 10_000.0 ** (-np.arange(half) / (config.embedding_size / 2))  # (half,) radians a position
    angles = np.arange(config.max_position_embeddings)[:, None] * rates  # (P, half)

    tables = {part: f"electra.embeddings.{part}_embeddings.weight" for part in ("word", "token_type", "position")}
    changed = {name: np.array(tensors[name]) for name in tables.values()}
    for table in changed.values():
        table[:, :DIMENSIONS] = 0
    positions = changed[tables["position"]]
    positions[:] = 0
    positions[:, :DIMENSIONS] = AMPLITUDE * np.concatenate([np.sin(angles), np.cos(angles)], axis=1)

    query, key = (np.zeros_like(tensors[f"{FIRST_LAYER}.{part}.weight"]) for part in ("query", "key"))  # (H out, H in)
    sine, cosine = np.arange(half), half + np.arange(half)
    for head in range(config.num_attention_heads):
        rows_s, rows_c = head * width + sine, head * width + cosine
        query[rows_s, sine] = query[rows_c, cosine] = SHARPNESS
        turned_s, turned_c = (SHARPNESS * wave(offset_of(head) * rates) for wave in (np.sin, np.cos))
        key[rows_s, sine], key[rows_s, cosine] = turned_c, -turned_s
        key[rows_c, cosine], key[rows_c, sine] = turned_c, turned_s
    return changed | {f"{FIRST_LAYER}.query.weight": query, f"{FIRST_LAYER}.key.weight": key}


def offset_of(head: int) -> int:
    """Where a head looks first: -1, +1, -2, +2, ..."""
    return (head // 2 + 1) * (1 if head % 2 else -1)
