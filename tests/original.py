"""Reads the numeric goldens of the original ELECTRA (tests/goldens/google) into our types, for several tests."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from electra.batch import Batch, Masked
from electra.config import ElectraConfig
from electra.objective import ObjectiveSettings, count_predictions, find_candidates, hide
from electra.training.networks import MAIN, TOWERS
from electra.training.settings import PretrainSettings

FOLDER = Path(__file__).parent / "goldens" / "google"
CASES = ("small_projected", "base_equal", "untied_embeddings", "tied_generator", "uniform_generator", "bert_mlm")
TOWER_CASES = ("two_towers", "electric")
RENAMES = (
    (r"/layer_(\d+)/", r"/layer/\1/"),
    (r"dense_1/", "dense_prediction/"),
    (r"/(kernel|gamma)$", "/weight"),
    (r"/beta$", "/bias"),
    (r"_embeddings$", "_embeddings/weight"),
    ("generator_predictions/output_bias", "generator_lm_head/bias"),
    ("cloze_predictions/output_bias", "cloze_lm_head/bias"),
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
            generator=self.generator, mask_probability=self.config["mask_prob"], generator_weight=self.config["gen_weight"],
            discriminator_weight=self.config["disc_weight"], temperature=self.config["temperature"],
            disallow_correct=self.config["disallow_correct"], draw_with_replacement=True, gumbel_noise=True,
        )  # fmt: skip
        inputs = inputs or self.arrays["inputs"]
        self.batch = Batch(
            input_ids=inputs["input_ids"], attention_mask=inputs["input_mask"], token_type_ids=inputs["segment_ids"]
        )
        self.masked = self.hide(inputs)

    @property
    def generator(self):
        """The kind of generator, as our settings call it."""
        kinds = {"two_tower_generator": "two_towers", "uniform_generator": "uniform"}
        found = [ours for theirs, ours in kinds.items() if self.config[theirs]]
        return found[0] if found else "own" if self.config["untied_generator"] else "tied"

    def run_settings(self, **changes) -> PretrainSettings:
        """Settings of a run with the case's objective."""
        objective = "electra" if self.config["electra_objective"] else "mlm"
        values = {field: getattr(self.settings, field) for field in self.settings.__dataclass_fields__}
        values |= dict(objective="electric" if self.config["electric_objective"] else objective, precision="float32")
        values |= dict(embedding_sharing="none" if self.config["untied_generator_embeddings"] else "all", threads=1)
        return PretrainSettings(**(values | changes))

    def networks(self) -> dict[str, ElectraConfig]:
        """The configuration of every network, by its name in a run, dropout off."""
        settings, main = self.run_settings(), self.network("discriminator")
        networks = dict.fromkeys(MAIN[settings.objective], main)
        if settings.objective == "mlm" or self.generator == "uniform":
            return networks
        generator = main if self.generator == "tied" else self.network("generator")
        if self.generator == "two_towers":
            return networks | dict.fromkeys((*TOWERS, "cloze"), generator)
        if settings.embedding_sharing == "none":
            generator.embedding_size = generator.hidden_size
        return networks | {"generator": generator}

    def weights(self, network) -> dict[str, np.ndarray]:
        """The case's tensors under the names of a network of a run, and some that it has not."""
        variables = self.arrays["weights"]
        own = network in (*TOWERS, "generator") and self.generator != "tied"
        scope = network if own else "electra"
        state = state_dict(variables, scope)
        if f"{scope}/embeddings/word_embeddings" not in variables:  # the original keeps shared ones once
            state |= {name: a for name, a in state_dict(variables, "electra").items() if ".embeddings." in name}
        state["generator_lm_head.weight"] = state["electra.embeddings.word_embeddings.weight"]
        return {name.removeprefix("electra."): array for name, array in state.items()} if network in TOWERS else state

    def hide(self, inputs) -> Masked:
        drawn = inputs["drawn_positions"]
        wanted = count_predictions(inputs["input_mask"] > 0, self.settings.mask_probability)
        used = np.arange(drawn.shape[1])[None, :] < wanted[:, None]
        masked = hide(
            self.batch, np.where(used, drawn, 0).astype(np.int32), used.astype(np.float32), coins=inputs["keep_uniform"],
            noise=inputs["gumbel_uniform"], mask_id=self.special_ids["mask"], settings=self.settings,
        )  # fmt: skip
        if self.generator != "two_towers":
            return masked
        return replace(masked, candidates=find_candidates(self.batch, self.special_ids).astype(np.float32))

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
