"""The heads: one row each. Tests and documents walk this table; adding a row is the whole registration."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Head:
    """One class on top of the encoder.

    name        also the `part` of weights/names.py that lists its tensors
    class_name  Hugging Face's
    logits      shape of the answer: B rows, L positions, V vocabulary; "" for the bare encoder, which answers (B, L, H)
    frameworks  which packages have it
    """

    name: str
    class_name: str
    logits: str
    frameworks: tuple[str, ...]


HEADS = (
    Head("encoder", "ElectraModel", "", ("torch",)),
    Head("pretraining", "ElectraForPreTraining", "BL", ("torch",)),
    Head("masked_lm", "ElectraForMaskedLM", "BLV", ("torch",)),
)
