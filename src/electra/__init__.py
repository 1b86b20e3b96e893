"""ELECTRA: text encoders pretrained by replaced token detection.

Every public name is imported when it is first used, so `import electra` costs NumPy at most and no framework.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_CLASSES = (
    "ElectraModel", "ElectraForPreTraining", "ElectraForMaskedLM", "ElectraForCausalLM", "ElectraForSequenceClassification",
    "ElectraForMultipleChoice", "ElectraForTokenClassification", "ElectraForQuestionAnswering",
)  # fmt: skip

# public name -> the module that defines it
_HOME = {
    "ElectraConfig": "electra.config",
    "ElectraTokenizer": "electra.tokenization",
    "ElectraTokenizerFast": "electra.tokenization",
    "AutoTokenizer": "electra.tokenization",
    "BatchEncoding": "electra.tokenization",
    **dict.fromkeys(_CLASSES, "electra.torch"),
    **{f"TF{name}": "electra.tf" for name in _CLASSES if name != "ElectraForCausalLM"},
    **{f"Flax{name}": "electra.flax" for name in _CLASSES},
    "ElectraForPreTrainingOutput": "electra.outputs",
    "ElectraError": "electra.errors",
    "load": "electra.inference.loaded",
}

# package of a framework -> the extra that brings it
_EXTRAS = {"torch": "torch", "tensorflow": "tf", "keras": "tf", "jax": "flax", "flax": "flax"}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'electra' has no attribute {name!r}")
    try:
        module = import_module(_HOME[name])
    except ModuleNotFoundError as error:
        if error.name not in _EXTRAS:
            raise
        from electra.errors import install_hint

        raise install_hint(error.name, _EXTRAS[error.name], f"electra.{name}") from None
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
