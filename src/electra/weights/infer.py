"""The configuration that tensors tell by their shapes: what a checkpoint without a config.json can be loaded with."""

import re
from collections.abc import Mapping
from typing import Any

from electra.config import ElectraConfig
from electra.errors import WeightsError
from electra.weights.names import Shape, canonical

LAYER = re.compile(r"electra\.encoder\.layer\.(\d+)\.")
# setting -> the tensor that tells it, and the axis
SIZES = {
    "vocab_size": ("electra.embeddings.word_embeddings.weight", 0),
    "embedding_size": ("electra.embeddings.word_embeddings.weight", 1),
    "max_position_embeddings": ("electra.embeddings.position_embeddings.weight", 0),
    "type_vocab_size": ("electra.embeddings.token_type_embeddings.weight", 0),
    "hidden_size": ("electra.encoder.layer.0.attention.self.query.weight", 1),
    "intermediate_size": ("electra.encoder.layer.0.intermediate.dense.weight", 0),
}
DISTANCES = "electra.encoder.layer.0.attention.self.distance_embedding.weight"


def sizes_of(shapes: Mapping[str, Shape]) -> dict[str, int]:
    """The settings that shapes tell, as far as the tensors are there and have the axes of ours."""
    found = {canonical(name): shape for name, shape in shapes.items()}
    sizes = {key: found[name][axis] for key, (name, axis) in SIZES.items() if len(found.get(name, ())) == 2}
    layers = [int(match[1]) for name in found if (match := LAYER.match(name))]
    return sizes | ({"num_hidden_layers": 1 + max(layers)} if layers else {})


def infer_config(shapes: Mapping[str, Shape], **known: Any) -> ElectraConfig:
    """The configuration of a network from the shapes of its tensors, with `known` in place of what they cannot tell.

    Shapes tell every size but the number of attention heads: heads are taken to be 64 wide, as in every released model,
    unless relative positions tell their width. Raises WeightsError where the tensors are no encoder's.
    """
    found = {canonical(name): shape for name, shape in shapes.items()}
    sizes = sizes_of(found)
    missing = sorted({name for key, (name, _) in SIZES.items() if key not in sizes})
    if missing:
        raise WeightsError(f"the tensors are no ELECTRA encoder's: {', '.join(missing)} missing among {len(shapes)}")
    distances = found.get(DISTANCES)
    values: dict[str, Any] = sizes | {
        "num_attention_heads": max(1, sizes["hidden_size"] // (distances[1] if distances else 64))
    }
    if distances:
        values["position_embedding_type"] = "relative_key"
    if any(".crossattention." in name for name in found):
        values |= {"is_decoder": True, "add_cross_attention": True}
    return ElectraConfig(**(values | {"num_labels": _labels(found)} | known))


def _labels(found: Mapping[str, Shape]) -> int:
    """How many labels a head of fine-tuning has; 2 where there is none."""
    for name in ("classifier.out_proj.bias", "qa_outputs.bias", "classifier.bias"):
        if name in found and "sequence_summary.summary.weight" not in found:
            return found[name][0]
    return 2
