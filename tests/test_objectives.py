"""The objectives beside ELECTRA's: losses and gradients of three frameworks against NumPy's, whose gradients are differences."""

from types import SimpleNamespace

import jax
import numpy as np
import numpy_ops
import pytest
import tensorflow as tf
import torch

from electra.batch import Batch, Masked, map_arrays
from electra.flax import ops as flax_ops
from electra.objective import ObjectiveSettings
from electra.objectives import OBJECTIVES, cloze, loss_of
from electra.tf import ops as tf_ops
from electra.torch import ops as torch_ops

ROWS, LENGTH, SLOTS, WORDS = 2, 7, 3, 6
# case -> the shape of the generator's logits, and of the main network's
AT_SLOTS, EVERYWHERE, JUDGED = (ROWS, SLOTS, WORDS), (ROWS, LENGTH, WORDS), (ROWS, LENGTH)
CASES = {
    "electra": (AT_SLOTS, [JUDGED]),
    "electra_masked_only": (AT_SLOTS, [JUDGED]),
    "replace_mlm": (AT_SLOTS, [AT_SLOTS]),
    "all_tokens_mlm": (AT_SLOTS, [EVERYWHERE, JUDGED]),
    "electric": (EVERYWHERE, [JUDGED]),
    "two_towers": (EVERYWHERE, [JUDGED]),
    "mlm": (AT_SLOTS, []),
}
SETTINGS = ObjectiveSettings(generator_weight=0.7, discriminator_weight=3.0, prediction_weight=1.3)


def batch_of():
    rng = np.random.default_rng(3)
    ids = rng.integers(0, WORDS, JUDGED).astype(np.int32)
    mask = np.ones(JUDGED, np.int32)
    mask[1, 5:] = 0
    batch = Batch(input_ids=ids * mask, attention_mask=mask, token_type_ids=np.zeros_like(ids))
    positions = np.array([[1, 3, 5], [2, 4, 0]], np.int32)
    weights = np.array([[1, 1, 1], [1, 1, 0]], np.float32)
    masked = Masked(
        input_ids=batch.input_ids, positions=positions, weights=weights, noise=rng.random((ROWS, SLOTS), np.float32),
        original_ids=np.take_along_axis(batch.input_ids, positions, 1), temperature=np.full((ROWS, 1), 1.5, np.float32),
        candidates=(mask * (np.arange(LENGTH) > 0)).astype(np.float32),
    )  # fmt: skip
    return batch, masked


def logits_of(case):
    rng = np.random.default_rng(5)
    first, others = CASES[case]
    return [rng.normal(size=shape).astype(np.float32) * 2 for shape in (first, *others)]


def outcome_of(case, logits, ops, to=lambda array: array):
    """The objective where the networks say these logits whatever they are asked."""
    batch, masked = (map_arrays(value, to) for value in batch_of())
    first, *others = logits
    objective = "electra" if case == "two_towers" else case
    kind = "two_towers" if case in ("two_towers", "electric") else "own"
    loss = loss_of(SimpleNamespace(objective=objective, generator=kind))
    answer = others[0] if len(others) == 1 else tuple(others)
    return loss(lambda *_: first, lambda *_: answer, batch, masked, SETTINGS, ops)


class Remembering:
    """NumPy's operations, in which what gradients are stopped at stays what it was at the first evaluation."""

    def __init__(self):
        self.held, self.next = [], 0

    def __getattr__(self, name):
        return getattr(numpy_ops, name)

    def stop_gradient(self, values):
        if self.next == len(self.held):
            self.held.append(np.array(values))
        self.next += 1
        return self.held[self.next - 1]


def gradients_by_differences(case, step=1e-5):
    ops, logits = Remembering(), [array.astype(np.float64) for array in logits_of(case)]

    def loss():
        ops.next = 0
        return outcome_of(case, logits, ops).loss

    loss()
    found = []
    for array in logits:
        slopes = np.zeros_like(array)
        for place in np.ndindex(array.shape):
            held = array[place]
            ends = []
            for array[place] in (held - step, held + step):
                ends.append(loss())
            array[place] = held
            slopes[place] = (ends[1] - ends[0]) / (2 * step)
        found.append(slopes)
    return found


def in_torch(case):
    tensors = [torch.tensor(array, requires_grad=True) for array in logits_of(case)]
    outcome = outcome_of(case, tensors, torch_ops, torch.from_numpy)
    outcome.loss.backward()
    return outcome, [tensor.grad for tensor in tensors]


def in_tf(case):
    tensors = [tf.constant(array) for array in logits_of(case)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        outcome = outcome_of(case, tensors, tf_ops, tf.convert_to_tensor)
    return outcome, tape.gradient(outcome.loss, tensors, unconnected_gradients="zero")


def in_flax(case):
    def loss(logits):
        outcome = outcome_of(case, logits, flax_ops, jax.numpy.asarray)
        return outcome.loss, outcome

    (_, outcome), gradients = jax.value_and_grad(loss, has_aux=True)([jax.numpy.asarray(a) for a in logits_of(case)])
    return outcome, gradients


@pytest.fixture(scope="module", params=CASES)
def expected(request):
    """A case, what NumPy makes of it, and its gradients."""
    case = request.param
    return case, outcome_of(case, logits_of(case), numpy_ops), gradients_by_differences(case)


@pytest.mark.parametrize("run", [in_torch, in_tf, in_flax], ids=["torch", "tf", "flax"])
def test_losses_answers_and_gradients_equal_numpys(run, expected):
    case, reference, slopes = expected
    outcome, gradients = run(case)
    for name, value in vars(reference).items():
        ours = getattr(outcome, name)
        assert (ours is None) == (value is None), name
        if value is not None:
            ours = ours.detach() if hasattr(ours, "detach") else ours
            np.testing.assert_allclose(np.asarray(ours), value, rtol=2e-5, atol=2e-6, err_msg=name)
    for ours, theirs in zip(gradients, slopes, strict=True):
        np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-3, atol=2e-6)


def test_every_objective_is_compared():
    assert set(CASES) == {*OBJECTIVES, "two_towers"}


def test_the_masked_positions_alone_are_judged():
    outcome = outcome_of("electra_masked_only", logits_of("electra_masked_only"), numpy_ops)
    _, masked = batch_of()
    drawn = np.zeros(JUDGED)
    for row, slot in np.argwhere(masked.weights > 0):
        drawn[row, masked.positions[row, slot]] = 1
    np.testing.assert_array_equal(outcome.judged, drawn)
    changed = logits_of("electra_masked_only")
    changed[1] = np.where(drawn > 0, changed[1], 9.0)
    assert outcome_of("electra_masked_only", changed, numpy_ops).loss == outcome.loss


def test_copying_and_naming_share_all_probability():
    """Summed over all words, the chance of each token of the text is 1."""
    words, replaced = logits_of("all_tokens_mlm")[1:]
    batch, masked = batch_of()
    nothing_drawn = Masked(**(vars(masked) | {"weights": np.zeros((ROWS, SLOTS), np.float32)}))
    total = np.zeros(JUDGED)
    seen = OBJECTIVES["all_tokens_mlm"](
        lambda *_: logits_of("all_tokens_mlm")[0],
        lambda *_: (words, replaced),
        batch,
        nothing_drawn,
        SETTINGS,
        numpy_ops,
    )
    copy = 1 / (1 + np.exp(replaced.astype(np.float64)))
    softmax = np.exp(numpy_ops.log_softmax(words))
    for word in range(WORDS):
        total += copy * (batch.input_ids == word) + (1 - copy) * softmax[..., word]
    np.testing.assert_allclose(total, 1)
    chance = copy + (1 - copy) * numpy_ops.take(softmax, batch.input_ids)
    np.testing.assert_allclose(np.exp(-seen.prediction_errors), chance, rtol=1e-6)


def test_a_token_drawn_is_noise_even_where_the_sample_is_the_original():
    outcome = outcome_of("electric", logits_of("electric"), numpy_ops)
    batch, _ = batch_of()
    assert (outcome.is_replaced & (outcome.corrupted_ids == batch.input_ids)).any()
    assert outcome.is_replaced.sum() == 5


def test_towers_learn_from_every_candidate():
    batch, masked = batch_of()
    logits = logits_of("two_towers")[0]
    guessed = cloze(lambda *_: logits, batch, masked, SETTINGS, numpy_ops)
    errors = -numpy_ops.take(numpy_ops.log_softmax(logits), batch.input_ids)
    assert guessed.cloze_loss == pytest.approx(errors[masked.candidates > 0].mean(), rel=1e-6)
