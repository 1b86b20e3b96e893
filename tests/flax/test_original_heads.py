"""The original's heads in Flax against the original."""

import jax
import jax.numpy as jnp
import pytest
from original_heads import HeadCase

import electra.flax
from electra import losses
from electra.flax import ops
from electra.flax.trees import to_tree


def model_of(case):
    model = getattr(electra.flax, f"Flax{case.class_name}")(case.config, _do_init=False)
    model.params = to_tree(case.state)
    return model


# Each is compiled; PyTorch and TensorFlow see all cases.
@pytest.mark.parametrize("name", ["classification_3", "tagging", "qa_joint_answerable_start"])
def test_answers_equal_the_original_s(name):
    case = HeadCase(name)
    case.check("inference", model_of(case)(**case.inputs))


def test_given_the_true_start_ends_and_loss_equal_the_original_s():
    case = HeadCase("qa_joint_answerable_cls")
    model, targets = model_of(case), {name: jnp.asarray(value, jnp.int32) for name, value in case.targets.items()}
    teach = jax.jit(model.module.apply)
    output = teach({"params": model.params}, **case.inputs, start_positions=targets["start_positions"])
    case.check("training", output)
    loss = losses.answer_loss(
        output.start_logits, output.end_logits, output.no_answer_logits, targets["start_positions"],
        targets["end_positions"], targets["is_impossible"], ops,
    )  # fmt: skip
    assert float(loss) * case.errors == pytest.approx(case.facts["total_loss"], rel=1e-6)


def test_a_saved_head_comes_back(tmp_path):
    case = HeadCase("qa_joint_answerable_start")
    model_of(case).save_pretrained(tmp_path)
    again = electra.flax.FlaxElectraOriginalForQuestionAnswering.from_pretrained(tmp_path)
    assert again.shapes() == {name: value.shape for name, value in case.state.items()}
    assert (again.params["qa_head"]["end_hidden"]["kernel"] == case.state["qa_head.end_hidden.weight"].T).all()
