"""The models in TensorFlow, on Keras 3. `named_weights()` are the variables by the names of the canonical checkpoint."""

from electra.errors import install_hint

try:
    import tensorflow as _tensorflow  # noqa: F401
except ImportError:
    raise install_hint("tensorflow", "tf", "using the TensorFlow models") from None

from electra.tf.heads import TFElectraForMaskedLM, TFElectraForPreTraining, share_embeddings
from electra.tf.initial import init_weights
from electra.tf.model import TFElectraModel
from electra.tf.pretrained import TFElectraPreTrainedModel
from electra.tf.task_heads import (
    TFElectraForMultipleChoice,
    TFElectraForQuestionAnswering,
    TFElectraForSequenceClassification,
    TFElectraForTokenClassification,
)

__all__ = [
    "TFElectraForMaskedLM",
    "TFElectraForMultipleChoice",
    "TFElectraForPreTraining",
    "TFElectraForQuestionAnswering",
    "TFElectraForSequenceClassification",
    "TFElectraForTokenClassification",
    "TFElectraModel",
    "TFElectraPreTrainedModel",
    "init_weights",
    "share_embeddings",
]
