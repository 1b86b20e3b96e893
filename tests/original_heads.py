"""The original's heads as it fine-tuned them (tests/goldens/google/heads.*): inputs, weights and answers in our names."""

import json
from functools import cached_property
from typing import Any

import numpy as np
from original import FOLDER, Case, groups, state_dict

from electra import ElectraConfig

FACTS = json.loads((FOLDER / "heads.json").read_text())
CASES = tuple(FACTS["cases"])
CLASSES = {"squad": "QuestionAnswering", "chunk": "TokenClassification"}
LABELS = {"mnli": 3, "cola": 2, "sts": 1, "chunk": 7, "squad": 2}
QA_LAYERS = {
    "dense": "start",
    "qa_hidden": "end_hidden",
    "dense_1": "end",
    "dense_2": "no_answer_hidden",
    "dense_3": "no_answer",
}
TARGETS = ("start_positions", "end_positions", "is_impossible")
IGNORED = -100


class HeadCase:
    """One head on the encoder of base_equal, with one batch."""

    def __init__(self, name: str) -> None:
        self.name, self.facts = name, FACTS["cases"][name]
        self.task = self.facts["task"]
        self.class_name = f"ElectraOriginalFor{CLASSES.get(self.task, 'SequenceClassification')}"
        self.arrays = groups(np.load(FOLDER / "heads.npz"))[name]
        self.inputs = {
            "input_ids": self.arrays["in_input_ids"],
            "attention_mask": self.arrays["in_input_mask"],
            "token_type_ids": self.arrays["in_segment_ids"],
        }

    @property
    def config(self) -> ElectraConfig:
        more = self.facts["switches"] | {"num_labels": LABELS[self.task], "beam_size": FACTS["beam_size"]}
        return ElectraConfig.from_dict(self._encoder.network("discriminator").to_dict() | more)

    @cached_property
    def _encoder(self) -> Case:
        return Case("base_equal")

    @property
    def state(self) -> dict[str, np.ndarray]:
        """The weights by our names and in our layout."""
        weights = state_dict(self._encoder.arrays["weights"], "electra")
        state = {name: value for name, value in weights.items() if name.startswith("electra.")}
        for name, value in self.arrays.items():
            if name.startswith("var_"):
                layer, leaf = name.removeprefix("var_").split("/")
                ours = f"qa_head.{QA_LAYERS[layer]}" if self.task == "squad" else "classifier"
                if not self.config.answerable_uses_start_logits:
                    ours = ours.replace("no_answer_hidden", "no_answer")
                state[f"{ours}.{'weight' if leaf == 'kernel' else 'bias'}"] = value.T if leaf == "kernel" else value
        return state

    @property
    def targets(self) -> dict[str, np.ndarray]:
        """What the loss needs, by our names."""
        if self.task == "squad":
            return {name: self.arrays[f"in_{name}"].astype(np.int64) for name in TARGETS}
        if self.task != "chunk":
            return {"labels": self.arrays["in_targets" if self.task == "sts" else "in_label_ids"]}
        labels = np.full(self.inputs["input_ids"].shape, IGNORED)
        rows, words = np.nonzero(self.arrays["in_labels_mask"])
        labels[rows, self.arrays["in_labeled_positions"][rows, words]] = self.arrays["in_labels"][rows, words]
        return {"labels": labels}

    @property
    def errors(self) -> int:
        """How many errors the original adds up where ours is their mean."""
        return int((self.targets["labels"] != IGNORED).sum()) if self.task == "chunk" else len(self.inputs["input_ids"])

    def check(self, mode: str, outputs: Any) -> None:
        """Hold the outputs of "inference" or "training" against the original's."""
        for theirs, ours in self._pairs(mode, {name: np.asarray(value) for name, value in outputs.items()}):
            assert ours.shape == theirs.shape
            # Below -1000, which is added outside the text, a float32 has no more digits.
            assert (np.abs(ours - theirs) <= np.where(np.abs(theirs) > 500, 1e-4, 1e-5)).all()

    def _pairs(self, mode: str, found: dict[str, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        theirs = {k.removeprefix(f"{mode}_"): v for k, v in self.arrays.items() if k.startswith(mode)}
        if self.task == "sts" and mode == "inference":
            return [(theirs["predictions"], found["logits"][:, 0])]
        if self.task == "chunk":
            places = self.arrays["in_labeled_positions"][..., None]
            return [(theirs["logits"], np.take_along_axis(found["logits"], places, 1))]
        if self.task == "squad":
            theirs["no_answer_logits"] = theirs.pop("answerable_logit")
        assert set(found) - {"loss"} <= set(theirs) | {"logits"}
        return [(theirs[name], value) for name, value in found.items() if name in theirs]
