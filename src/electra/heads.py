"""The heads: one row each. Tests and documents walk this table; adding a row is the whole registration."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Head:
    """One class on top of the encoder.

    name        what it is for
    class_name  Hugging Face's in PyTorch; in the other frameworks it begins with TF or Flax
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

    def class_in(self, framework: str) -> str:
        """The name of its class in a framework: TFElectraModel, FlaxElectraModel, ElectraModel."""
        return PREFIXES[framework] + self.class_name


PREFIXES = {"torch": "", "tf": "TF", "flax": "Flax"}
ALL = tuple(PREFIXES)

HEADS = (
    Head("encoder", "ElectraModel", "", ALL),
    Head("pretraining", "ElectraForPreTraining", "BL", ALL),
    Head("masked_lm", "ElectraForMaskedLM", "BLV", ALL),
    Head("causal_lm", "ElectraForCausalLM", "BLV", ("torch", "flax"), part="masked_lm"),
    Head("sequence_classification", "ElectraForSequenceClassification", "BN", ALL),
    Head("multiple_choice", "ElectraForMultipleChoice", "BC", ALL),
    Head("token_classification", "ElectraForTokenClassification", "BLN", ALL),
    Head("question_answering", "ElectraForQuestionAnswering", "BL", ALL),
)

# The heads the original code fine-tunes, where they are not the page's; named as the page's rows they stand in for.
ORIGINAL_HEADS = (
    Head("sequence_classification", "ElectraOriginalForSequenceClassification", "BN", ALL, part="token_classification"),
    Head("token_classification", "ElectraOriginalForTokenClassification", "BLN", ALL),
    Head("question_answering", "ElectraOriginalForQuestionAnswering", "BL", ALL, part="original_question_answering"),
)
