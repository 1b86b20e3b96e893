"""The original's heads in TensorFlow against the original."""

import pytest
import tensorflow as tf
from original_heads import HeadCase

import electra.tf
from electra.tf.initial import fill
from electra.weights.names import tensors
from electra.weights.translation import turned_shapes

CASES = (
    "classification_3", "tagging", "qa_joint_answerable_start", "qa_joint_answerable_cls", "qa_independent_plain",
)  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_answers_and_losses_equal_the_original_s(name):
    case = HeadCase(name)
    model = getattr(electra.tf, f"TF{case.class_name}")(case.config)
    fill(model.named_weights(), case.state)
    case.check("inference", model(**case.inputs))
    output = model(**case.inputs, **case.targets)
    case.check("training", output)
    assert float(output.loss) * case.errors == pytest.approx(case.facts["total_loss"], rel=1e-6)


def test_a_saved_head_comes_back_and_answers_in_a_graph(tmp_path):
    case = HeadCase("qa_joint_answerable_start")
    model = electra.tf.TFElectraOriginalForQuestionAnswering(case.config)
    shapes = {name: tuple(value.shape) for name, value in model.named_weights().items()}
    assert turned_shapes(shapes) == tensors(case.config) | tensors(case.config, "original_question_answering")
    fill(model.named_weights(), case.state)
    model.save_pretrained(tmp_path)
    again = electra.tf.TFElectraOriginalForQuestionAnswering.from_pretrained(tmp_path)
    case.check("inference", tf.function(again)(**{name: tf.constant(value) for name, value in case.inputs.items()}))
