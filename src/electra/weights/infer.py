"""The configuration that tensors tell by their shapes: what a checkpoint without a config.json can be loaded with."""

import re
from collections.abc import Mapping
from typing import Any

from electra.config import ElectraConfig
from electra.errors import WeightsError
from electra.weights.names import Shape, canonical

LAYER = re.compile(r"electra\.encoder\.layer\.(\d+)\.")
NEEDED = {
    "word_embeddings": "electra.embeddings.word_embeddings.weight",
    "position_embeddings": "electra.embeddings.position_embeddings.weight",
    "token_type_embeddings": "electra.embeddings.token_type_embeddings.weight",
    "query": "electra.encoder.layer.0.attention.self.query.weight",
    "intermediate": "electra.encoder.layer.0.intermediate.dense.weight",
}


def infer_config(shapes: Mapping[str, Shape], **known: Any) -> ElectraConfig:
    """The configuration of a network from the shapes of its tensors, with `known` in place of what they cannot tell.

    Shapes tell every size but the number of attention heads: heads are taken to be 64 wide, as in every released model,
    unless relative positions tell their width. Raises WeightsError where the tensors are no encoder's.
    """
    found = {canonical(name): shape for name, shape in shapes.items()}
    missing = [name for name in NEEDED.values() if name not in found]
    if missing:
        raise WeightsError(f"the tensors are no ELECTRA encoder's: {', '.join(missing)} missing among {len(shapes)}")
    sizes = {key: found[name] for key, name in NEEDED.items()}
    hidden = sizes["query"][1]
    distances = found.get("electra.encoder.layer.0.attention.self.distance_embedding.weight")
    values: dict[str, Any] = {
        "vocab_size": sizes["word_embeddings"][0],
        "embedding_size": sizes["word_embeddings"][1],
        "max_position_embeddings": sizes["position_embeddings"][0],
        "type_vocab_size": sizes["token_type_embeddings"][0],
        "hidden_size": hidden,
        "intermediate_size": sizes["intermediate"][0],
        "num_hidden_layers": 1 + max(int(match[1]) for name in found if (match := LAYER.match(name))),
        "num_attention_heads": max(1, hidden // (distances[1] if distances else 64)),
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
