"""The heads: one row each. Tests and documents walk this table; adding a row is the whole registration."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Head:
    """One class on top of the encoder.

    name        what it is for
    class_name  Hugging Face's
    logits      shape of the answer: B rows, L positions, V vocabulary, N labels, C choices; "" for the bare encoder, which
                answers (B, L, H)
    frameworks  which packages have it
    part        the part of weights/names.py that lists its tensors, where that is not called as the head
    """

    name: str
    class_name: str
    logits: str
    frameworks: tuple[str, ...]
    part: str = ""

    @property
    def tensors(self) -> str:
        """The part of weights/names.py that lists its tensors."""
        return self.part or self.name


HEADS = (
    Head("encoder", "ElectraModel", "", ("torch",)),
    Head("pretraining", "ElectraForPreTraining", "BL", ("torch",)),
    Head("masked_lm", "ElectraForMaskedLM", "BLV", ("torch",)),
    Head("causal_lm", "ElectraForCausalLM", "BLV", ("torch",), part="masked_lm"),
    Head("sequence_classification", "ElectraForSequenceClassification", "BN", ("torch",)),
    Head("multiple_choice", "ElectraForMultipleChoice", "BC", ("torch",)),
    Head("token_classification", "ElectraForTokenClassification", "BLN", ("torch",)),
    Head("question_answering", "ElectraForQuestionAnswering", "BL", ("torch",)),
)
