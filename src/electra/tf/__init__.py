"""The models in TensorFlow, on Keras 3. `named_weights()` are the variables by the names of the canonical checkpoint."""

import keras

from electra.errors import ConfigError

if keras.config.backend() != "tensorflow":
    raise ConfigError(
        f"Keras computes with {keras.config.backend()} here; the TF models need KERAS_BACKEND=tensorflow, set before the "
        "first import of keras"
    )

from electra.tf.heads import TFElectraForMaskedLM, TFElectraForPreTraining, share_embeddings
from electra.tf.initial import init_weights
from electra.tf.model import TFElectraModel
from electra.tf.original_heads import (
    TFElectraOriginalForQuestionAnswering,
    TFElectraOriginalForSequenceClassification,
    TFElectraOriginalForTokenClassification,
)
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
    "TFElectraOriginalForQuestionAnswering",
    "TFElectraOriginalForSequenceClassification",
    "TFElectraOriginalForTokenClassification",
    "TFElectraPreTrainedModel",
    "init_weights",
    "share_embeddings",
]
