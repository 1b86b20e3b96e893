"""return_tensors: four frameworks, each imported only when asked for."""

import sys

import numpy as np
import pytest

from electra.errors import DataError, MissingDependencyError, UsageError
from electra.tokenization import BatchEncoding

ROWS = {"input_ids": [[1, 2], [3, 4]]}
TYPES = {"np": np.int64, "pt": np.int64, "tf": np.int32, "jax": np.int32}
PACKAGES = {"np": "numpy", "pt": "torch", "tf": "tensorflow", "jax": "jax"}


@pytest.mark.parametrize("word", TYPES)
def test_lists_become_tensors(tokenizer, word):
    encoding = tokenizer(["the garden", "see"], padding=True, return_tensors=word)
    tensor = encoding["input_ids"]
    assert type(tensor).__module__.partition(".")[0].replace("jaxlib", "jax") == PACKAGES[word]
    assert np.asarray(tensor).dtype == TYPES[word]
    assert np.array_equal(np.asarray(tensor), tokenizer(["the garden", "see"], padding=True)["input_ids"])
    assert tokenizer.decode(tensor[1], skip_special_tokens=True) == "see"
    assert type(tokenizer.pad(encoding)["input_ids"]) is type(tensor)


@pytest.mark.parametrize(("word", "package"), [("pt", "torch"), ("tf", "tensorflow"), ("jax", "jax")])
def test_a_framework_that_is_missing_is_told_with_its_install_command(monkeypatch, word, package):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, "jax.numpy", None)
    with pytest.raises(MissingDependencyError, match=f'return_tensors="{word}" needs {package}.*pip install'):
        BatchEncoding(ROWS, tensor_type=word)


def test_an_unknown_framework_is_refused():
    with pytest.raises(UsageError, match=r'did you mean "np"'):
        BatchEncoding(ROWS, tensor_type="npp")


def test_rows_of_different_lengths_are_a_wrong_value_and_a_wrong_type():
    with pytest.raises(DataError, match="different lengths") as caught:
        BatchEncoding({"input_ids": [[1], [2, 3]]}, tensor_type="np")
    assert isinstance(caught.value, TypeError)


def test_one_row_can_get_a_batch_axis():
    assert BatchEncoding({"input_ids": [1, 2]}, tensor_type="np", prepend_batch_axis=True)["input_ids"].shape == (1, 2)
