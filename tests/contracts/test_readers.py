"""A pretrained pair answers the same in three frameworks."""

import numpy as np
import pytest

import electra

TEXT = "The old river followed the garden during the storm."


@pytest.mark.parametrize("framework", ["tf", "flax"])
def test_scores_candidates_and_suggestions_are_those_of_pytorch(framework, short_run):
    ours, theirs = (electra.load(short_run, engine="float32", framework=name) for name in (framework, "torch"))
    inputs = [{"text": TEXT * 5}]
    for found, expected in zip(ours.predict(inputs), theirs.predict(inputs), strict=True):
        scores = [[word["score"] for word in answer["words"]] for answer in (found, expected)]
        np.testing.assert_allclose(*scores, atol=1e-5)
    answers = [
        model.generator.predict([{"text": TEXT.replace("river", "[MASK]"), "count": 4}]) for model in (ours, theirs)
    ]
    found, expected = ([c["score"] for c in answer[0]["masks"][0]["candidates"]] for answer in answers)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    found, expected = (
        {word["text"]: word["score"] for word in model.suggest(TEXT, 8, 13, 100)} for model in (ours, theirs)
    )
    common = found.keys() & expected.keys()
    assert len(common) >= 0.9 * max(len(found), len(expected))  # where two are equally likely, either may be kept
    np.testing.assert_allclose([found[text] for text in common], [expected[text] for text in common], atol=1e-5)
