"""ELECTRA: text encoders pretrained by replaced token detection.

Every public name is imported when it is first used, so `import electra` costs NumPy at most and no framework.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# public name -> the module that defines it
_HOME = {
    "ElectraConfig": "electra.config",
    "ElectraTokenizer": "electra.tokenization",
    "ElectraTokenizerFast": "electra.tokenization",
    "AutoTokenizer": "electra.tokenization",
    "BatchEncoding": "electra.tokenization",
    "ElectraModel": "electra.torch",
    "ElectraForPreTraining": "electra.torch",
    "ElectraForMaskedLM": "electra.torch",
    "ElectraForCausalLM": "electra.torch",
    "ElectraForSequenceClassification": "electra.torch",
    "ElectraForMultipleChoice": "electra.torch",
    "ElectraForTokenClassification": "electra.torch",
    "ElectraForQuestionAnswering": "electra.torch",
    "ElectraForPreTrainingOutput": "electra.outputs",
    "ElectraError": "electra.errors",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'electra' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
