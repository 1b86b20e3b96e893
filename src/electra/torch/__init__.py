"""The models in PyTorch. `state_dict()` is the canonical checkpoint."""

from electra.torch.heads import ElectraForCausalLM, ElectraForMaskedLM, ElectraForPreTraining, share_embeddings
from electra.torch.initial import init_weights
from electra.torch.model import ElectraModel
from electra.torch.original_heads import (
    ElectraOriginalForQuestionAnswering,
    ElectraOriginalForSequenceClassification,
    ElectraOriginalForTokenClassification,
)
from electra.torch.pretrained import ElectraPreTrainedModel
from electra.torch.task_heads import (
    ElectraForMultipleChoice,
    ElectraForQuestionAnswering,
    ElectraForSequenceClassification,
    ElectraForTokenClassification,
)

__all__ = [
    "ElectraForCausalLM",
    "ElectraForMaskedLM",
    "ElectraForMultipleChoice",
    "ElectraForPreTraining",
    "ElectraForQuestionAnswering",
    "ElectraForSequenceClassification",
    "ElectraForTokenClassification",
    "ElectraModel",
    "ElectraOriginalForQuestionAnswering",
    "ElectraOriginalForSequenceClassification",
    "ElectraOriginalForTokenClassification",
    "ElectraPreTrainedModel",
    "init_weights",
    "share_embeddings",
]
