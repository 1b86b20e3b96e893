"""The heads Google's code fine-tunes: which variable is which tensor, and the class and switches their presence tells.

Variables stand in task_specific/TASK/. Source: google-research/electra, finetune/; layers without a name are dense, dense_1, ...
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

SCOPE = "task_specific/"
# The one tagging task of that code, and its one regression; shapes do not tell them from classification.
TAGGING, REGRESSION = ("chunk",), ("sts",)


@dataclass(frozen=True)
class TunedHead:
    """A head of a task: our class, our names with the variables, and the settings that go with it."""

    class_name: str
    names: dict[str, str]
    settings: dict[str, Any]


def find_head(variables: Iterable[str]) -> TunedHead | None:
    """The head among a checkpoint's variables; None where there is none, or there are those of several tasks."""
    found = {name: name.split("/") for name in variables if name.startswith(SCOPE) and name.count("/") == 3}
    tasks = {parts[1] for parts in found.values()}
    if len(tasks) != 1:
        return None
    (task,) = tasks
    layers = {parts[2] for parts in found.values()}
    modules, settings = {"dense": "classifier"}, dict[str, Any]()
    kind = "TokenClassification" if task in TAGGING else "SequenceClassification"
    if task in REGRESSION:
        settings["problem_type"] = "regression"
    if "dense_1" in layers:
        kind = "QuestionAnswering"
        settings = {
            "joint_prediction": "qa_hidden" in layers,
            "answerable_classifier": "dense_2" in layers,
            "answerable_uses_start_logits": "dense_3" in layers or "dense_2" not in layers,
        }
        modules = {
            "dense": "qa_head.start",
            "qa_hidden": "qa_head.end_hidden",
            "dense_1": "qa_head.end",
            "dense_2": "qa_head.no_answer_hidden" if "dense_3" in layers else "qa_head.no_answer",
            "dense_3": "qa_head.no_answer",
        }
    names = {
        f"{modules[layer]}.{'weight' if leaf == 'kernel' else leaf}": name
        for name, (_, _, layer, leaf) in found.items()
        if layer in modules
    }
    return TunedHead(f"ElectraOriginalFor{kind}", names, settings)
