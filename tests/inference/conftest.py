"""A tuned model that is exported, and timings that are short: for the tests of what an export is compared with."""

import pytest
from small_tuning import model_folder

from electra.inference.parity import measures


@pytest.fixture(scope="module")
def few_calls():
    """What is timed is not what is tested here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measures, "CALLS", 5)
        yield


@pytest.fixture(scope="module")
def tuned(tokenizer, tmp_path_factory):
    return model_folder("classification", tokenizer, tmp_path_factory.mktemp("tuned") / "model")
