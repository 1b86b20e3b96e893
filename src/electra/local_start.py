"""A first layer that already looks at neighbouring words: first weights for small, short runs. Ours, not the paper's.

From the usual first weights attention is even over the whole row, and a discriminator spends its first millions of
tokens finding out that the neighbours of a word are what tells whether it belongs. These first weights give it that:
some dimensions carry nothing but the position, as sines and cosines, and each head of the first layer scores one
offset (-1, +1, -2, +2, ...) highest. Everything is trained from there on.

With angle p w for position p, a head that should look at p + o needs  score(p, q) = sum over w of cos((q - p - o) w),
which is the product of a query that copies sine and cosine of p w with a key that turns those of q w back by o w.
"""

import numpy as np

from electra.config import ElectraConfig

DIMENSIONS = 32  # of the embedding that carry the position: sines, then cosines
AMPLITUDE = 0.1  # of the position table, whose other dimensions start at 0
SHARPNESS = 2.0  # of queries and keys
TABLES = ("word_embeddings", "token_type_embeddings")
FIRST = "encoder.layer.0.attention.self"


def offsets(heads: int) -> list[int]:
    """Where each head looks: -1, +1, -2, +2, ..."""
    return [(head // 2 + 1) * (1 if head % 2 else -1) for head in range(heads)]


def start_locally(tensors: dict[str, np.ndarray], config: ElectraConfig) -> dict[str, np.ndarray]:
    """The tensors of one network that differ, from its usual first weights; names are without the prefix `electra.`."""
    half = DIMENSIONS // 2
    rates = 10_000.0 ** (-np.arange(half) / (config.embedding_size // 2))  # (half,) radians a position
    angles = np.arange(config.max_position_embeddings)[:, None] * rates  # (P, half)
    changed = {}
    for table in TABLES:
        name = f"embeddings.{table}.weight"
        changed[name] = tensors[name].copy()
        changed[name][:, :DIMENSIONS] = 0
    positions = np.zeros((config.max_position_embeddings, config.embedding_size))
    positions[:, :half], positions[:, half:DIMENSIONS] = AMPLITUDE * np.sin(angles), AMPLITUDE * np.cos(angles)
    changed["embeddings.position_embeddings.weight"] = positions
    if "embeddings_project.weight" in tensors:
        project = tensors["embeddings_project.weight"].copy()  # (H, E)
        project[:DIMENSIONS] = 0
        project[:, :DIMENSIONS] = 0
        project[:DIMENSIONS, :DIMENSIONS] = np.eye(DIMENSIONS)
        changed["embeddings_project.weight"] = project
    query, key = (tensors[f"{FIRST}.{part}.weight"].copy() for part in ("query", "key"))  # (H, H): out, in
    width, each = config.hidden_size // config.num_attention_heads, np.arange(half)
    for head, offset in enumerate(offsets(config.num_attention_heads)):
        sine, cosine = head * width + each, head * width + half + each  # rows of this head
        turn_cos, turn_sin = np.cos(offset * rates), np.sin(offset * rates)
        query[sine, each] = query[cosine, half + each] = SHARPNESS
        key[sine, each], key[sine, half + each] = SHARPNESS * turn_cos, -SHARPNESS * turn_sin
        key[cosine, half + each], key[cosine, each] = SHARPNESS * turn_cos, SHARPNESS * turn_sin
    changed[f"{FIRST}.query.weight"], changed[f"{FIRST}.key.weight"] = query, key
    return {name: array.astype(np.float32) for name, array in changed.items()}
