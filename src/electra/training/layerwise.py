"""Layer-wise decay of the learning rate: what lies further from the head changes less.

With L layers and decay d: the head 1, layer k (from 0) d^(L - k), the embeddings and their projection d^(L + 1). Unusual
here: the original code is one power stronger everywhere below the head, which its author calls a mistake; `as_shipped` has
it. Source: google-research/electra, model/optimization.py and issue 51; the paper, appendix B.
"""

import re
from collections.abc import Iterable

LAYER = re.compile(r"(^|\.)encoder\.layer\.(\d+)\.")
EMBEDDINGS = re.compile(r"(^|\.)(embeddings|embeddings_project)\.")


def multipliers(names: Iterable[str], *, layers: int, decay: float, as_shipped: bool = False) -> dict[str, float]:
    """For each tensor, by Hugging Face's name, what its learning rate is multiplied by.

    layers    of the encoder, num_hidden_layers
    """
    return {name: decay ** (_distance(name, layers, int(as_shipped))) for name in names}


def _distance(name: str, layers: int, extra: int) -> int:
    """How many steps of decay a tensor is below the head."""
    layer = LAYER.search(name)
    if layer:
        return layers - int(layer[2]) + extra
    return layers + 1 + extra if EMBEDDINGS.search(name) else 0
