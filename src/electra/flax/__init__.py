"""The models in JAX, as Flax Linen modules. Parameter trees are those of Hugging Face's Flax classes."""

from electra.flax.heads import (
    FlaxElectraForCausalLM,
    FlaxElectraForCausalLMModule,
    FlaxElectraForMaskedLM,
    FlaxElectraForMaskedLMModule,
    FlaxElectraForPreTraining,
    FlaxElectraForPreTrainingModule,
    share_embeddings,
)
from electra.flax.model import FlaxElectraModel, FlaxElectraModule
from electra.flax.original_heads import (
    FlaxElectraOriginalForQuestionAnswering,
    FlaxElectraOriginalForSequenceClassification,
    FlaxElectraOriginalForTokenClassification,
)
from electra.flax.pretrained import FlaxElectraPreTrainedModel
from electra.flax.task_heads import (
    FlaxElectraForMultipleChoice,
    FlaxElectraForMultipleChoiceModule,
    FlaxElectraForQuestionAnswering,
    FlaxElectraForQuestionAnsweringModule,
    FlaxElectraForSequenceClassification,
    FlaxElectraForSequenceClassificationModule,
    FlaxElectraForTokenClassification,
    FlaxElectraForTokenClassificationModule,
)

__all__ = [
    "FlaxElectraForCausalLM",
    "FlaxElectraForCausalLMModule",
    "FlaxElectraForMaskedLM",
    "FlaxElectraForMaskedLMModule",
    "FlaxElectraForMultipleChoice",
    "FlaxElectraForMultipleChoiceModule",
    "FlaxElectraForPreTraining",
    "FlaxElectraForPreTrainingModule",
    "FlaxElectraForQuestionAnswering",
    "FlaxElectraForQuestionAnsweringModule",
    "FlaxElectraForSequenceClassification",
    "FlaxElectraForSequenceClassificationModule",
    "FlaxElectraForTokenClassification",
    "FlaxElectraForTokenClassificationModule",
    "FlaxElectraModel",
    "FlaxElectraModule",
    "FlaxElectraOriginalForQuestionAnswering",
    "FlaxElectraOriginalForSequenceClassification",
    "FlaxElectraOriginalForTokenClassification",
    "FlaxElectraPreTrainedModel",
    "share_embeddings",
]
