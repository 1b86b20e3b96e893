"""Reads the numeric goldens of the original ELECTRA (tests/goldens/google) into our types, for several tests."""

import json
import re
from pathlib import Path

import numpy as np

from electra.batch import Batch, Masked
from electra.config import ElectraConfig
from electra.objective import ObjectiveSettings, count_predictions, hide

FOLDER = Path(__file__).parent / "goldens" / "google"
CASES = ("small_projected", "base_equal", "untied_embeddings", "tied_generator", "uniform_generator", "bert_mlm")
RENAMES = (
    (r"/layer_(\d+)/", r"/layer/\1/"),
    (r"dense_1/", "dense_prediction/"),
    (r"/(kernel|gamma)$", "/weight"),
    (r"/beta$", "/bias"),
    (r"_embeddings$", "_embeddings/weight"),
    ("generator_predictions/output_bias", "generator_lm_head/bias"),
)


class Case:
    """One tiny pretrained pair: its weights, one batch with its random choices, and what the original computed."""

    def __init__(self, name, changes=None, inputs=None):
        self.name, self.facts = name, json.loads((FOLDER / f"{name}.json").read_text())
        self.arrays = groups(np.load(FOLDER / f"{name}.npz"))
        self.goldens = self.arrays["goldens"]
        self.config = self.facts["config"] | (changes or {})
        self.special_ids = self.facts["special_ids"]
        self.settings = ObjectiveSettings(
            mask_probability=self.config["mask_prob"], generator_weight=self.config["gen_weight"],
            discriminator_weight=self.config["disc_weight"], temperature=self.config["temperature"],
            disallow_correct=self.config["disallow_correct"], draw_with_replacement=True, gumbel_noise=True,
        )  # fmt: skip
        inputs = inputs or self.arrays["inputs"]
        self.batch = Batch(
            input_ids=inputs["input_ids"], attention_mask=inputs["input_mask"], token_type_ids=inputs["segment_ids"]
        )
        self.masked = self.hide(inputs)

    def hide(self, inputs) -> Masked:
        drawn = inputs["drawn_positions"]
        wanted = count_predictions(inputs["input_mask"] > 0, self.settings.mask_probability)
        used = np.arange(drawn.shape[1])[None, :] < wanted[:, None]
        return hide(
            self.batch, np.where(used, drawn, 0).astype(np.int32), used.astype(np.float32), coins=inputs["keep_uniform"],
            noise=inputs["gumbel_uniform"], mask_id=self.special_ids["mask"], settings=self.settings,
        )  # fmt: skip

    def network(self, kind) -> ElectraConfig:
        """The configuration of "discriminator" or "generator", dropout off."""
        values = self.facts[f"{kind}_config"] or self.facts["discriminator_config"]
        embedding = self.arrays["weights"]["electra/embeddings/word_embeddings"].shape[1]
        off = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        return ElectraConfig(**(values | {"embedding_size": embedding} | off))


def groups(archive):
    """The arrays of a fixture by group, names with slashes again."""
    result = {}
    for key in archive.files:
        group, _, name = key.replace("|", "/").partition(":")
        result.setdefault(group, {})[name] = archive[key]
    return result


def state_dict(variables, scope):
    """Variables of the original under our names: those of the encoder `scope`, such as "generator", and all heads."""
    state = {}
    for name, array in variables.items():
        top = name.split("/")[0]
        if (top == "electra" or top.startswith("generator")) and top not in (scope, "generator_predictions"):
            continue
        ours = name.replace(f"{scope}/", "electra/", 1) if top == scope else name
        for pattern, replacement in RENAMES:
            ours = re.sub(pattern, replacement, ours)
        state[ours.replace("/", ".")] = array.T if name.endswith("kernel") else array
    return state
