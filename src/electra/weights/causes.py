"""Why tensors do not fit a model: a table of causes, each with what it explains, a sentence, and what to do about it.

A tensor is explained by the first cause that knows it. Sizes are read from the shapes on both sides, so the sentence can
name the released models: hidden 256 with embeddings of 128 is small++'s generator, hidden 64 is small's.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from electra.config import SIZES as MODELS
from electra.config import ElectraConfig
from electra.weights.infer import LAYER, sizes_of
from electra.weights.names import TIED_TABLE, WORD_TABLE, Shape, canonical, head_of
from electra.weights.translation import is_matrix

VOCABULARY = (WORD_TABLE, TIED_TABLE, "generator_lm_head.bias")
POSITIONS, TYPES = "position_embeddings.weight", "token_type_embeddings.weight"
ROLES = {"discriminator_predictions": "discriminator", "generator_predictions": "generator"}  # head -> network
# what wraps a model puts its own name before every tensor's
WRAPPERS = {
    "module.": "DistributedDataParallel or DataParallel",
    "_orig_mod.": "torch.compile",
    "_fsdp_wrapped_module.": "FullyShardedDataParallel",
    "_forward_module.": "Lightning Fabric",
    "base_model.model.": "PEFT",
}
WRAPPER = re.compile(f"^({'|'.join(map(re.escape, WRAPPERS))})+")
FAMILIES = {
    "bert": "BERT", "roberta": "RoBERTa", "deberta": "DeBERTa", "distilbert": "DistilBERT", "albert": "ALBERT",
    "mpnet": "MPNet", "xlnet": "XLNet", "funnel": "Funnel", "convbert": "ConvBERT", "camembert": "CamemBERT",
    "longformer": "Longformer", "transformer": "GPT-2, XLNet or DistilBERT", "decoder": "a decoder, such as OPT",
    "model": "ModernBERT, LLaMA or a later model", "shared": "T5",
}  # fmt: skip
FAMILY = re.compile(rf"^({'|'.join(FAMILIES)})[./]")
SLOT = re.compile(r"(^|[./])(adam_[mv]|exp_avg(_sq)?|momentum(_buffer)?|max_exp_avg_sq)(:0)?$")
STEP = "global_step"
OBJECTS = "/.ATTRIBUTES/VARIABLE_VALUE"  # how TensorFlow 2 ends the names of a checkpoint of objects


class Misfit(NamedTuple):
    """A tensor that is not the same in a file and in a model: missing in the file, unknown to the model, or misshapen."""

    name: str
    found: Shape | None
    expected: Shape | None


@dataclass(frozen=True)
class Evidence:
    """The shapes of all tensors of a file and of a model by our names, and what they tell."""

    found: Mapping[str, Shape]
    expected: Mapping[str, Shape]

    @cached_property
    def held(self) -> dict[str, int]:
        """The settings the file was made with."""
        return sizes_of(self.found)

    @cached_property
    def wanted(self) -> dict[str, int]:
        """The settings of the model."""
        return sizes_of(self.expected)

    @cached_property
    def family(self) -> str:
        """The kind of model whose prefix the file's names have, where they are not ELECTRA's."""
        return (
            "" if self.held else next((FAMILIES[match[1]] for name in self.found if (match := FAMILY.match(name))), "")
        )

    @cached_property
    def wrapper(self) -> str:
        """The prefix of the names, where it is one that a wrapper puts there."""
        return next((match[0] for name in self.found if (match := WRAPPER.match(name))), "")

    @cached_property
    def roles(self) -> tuple[list[str], list[str]]:
        """Whether the file, and the model, are a discriminator, a generator, both or neither."""
        return roles_of(self.found), roles_of(self.expected)

    @cached_property
    def is_of_objects(self) -> bool:
        """Whether the names are those of TensorFlow 2's objects."""
        return any(name.endswith(OBJECTS) for name in self.found)

    @cached_property
    def is_memory(self) -> bool:
        """Whether the file holds nothing but what an optimizer remembers."""
        return bool(self.found) and all(SLOT.search(name) or name == STEP for name in self.found)

    @cached_property
    def has_kernels(self) -> bool:
        """Whether matrices are called as in Flax and TensorFlow."""
        return any(name.endswith(".kernel") for name in self.found)

    def differs(self, setting: str) -> bool:
        """Whether file and model both tell a setting, and not the same."""
        return setting in self.held and setting in self.wanted and self.held[setting] != self.wanted[setting]

    def words(self) -> dict[str, Any]:
        """What the sentences of the table speak of."""
        roles = self.roles
        inner = self.wrapper.rstrip(".").split(".")[0] + "."
        return {
            "held": self.held, "wanted": self.wanted, "family": self.family, "wrapper": self.wrapper,
            "wrapped_by": WRAPPERS.get(self.wrapper) or WRAPPERS.get(inner, "a wrapper"),
            "held_role": " and ".join(roles[0]), "wanted_role": " and ".join(roles[1]),
            "held_model": model_of(self.held, roles[0]), "wanted_model": model_of(self.wanted, roles[1]),
            "labels": _labels(self.found), "wanted_labels": _labels(self.expected),
            "heads": _heads(self.found),
        }  # fmt: skip


def roles_of(names: Iterable[str]) -> list[str]:
    """Whether tensors are a discriminator's, a generator's, both or neither, by their heads."""
    heads = {head_of(name) for name in names}
    return [role for head, role in ROLES.items() if head in heads]


def unwrapped(name: str) -> str:
    """The name without what DistributedDataParallel, torch.compile and the like put before it."""
    return WRAPPER.sub("", name)


def model_of(sizes: Mapping[str, int], roles: Iterable[str] = ()) -> str:
    """Which released models have these sizes, in words, such as "the small++ generator (hidden_size 256)".

    Those of the roles are named where there are any: small's discriminator has the sizes of small++'s generator.
    """
    known: list[tuple[str, str]] = []
    for size, (_, width) in MODELS.items():
        discriminator = ElectraConfig.of_size(size)
        for role, config in (("discriminator", discriminator), ("generator", discriminator.generator(width))):
            keys = ("embedding_size", "hidden_size", "intermediate_size", "num_hidden_layers")
            if all(sizes.get(key) == vars(config)[key] for key in keys):
                known.append((size, role))
    named = [f"{size} {role}" for size, role in known if role in roles] or [" ".join(model) for model in known]
    hidden = f"hidden_size {sizes.get('hidden_size', 'unknown')}"
    return f"the {' or '.join(named)} ({hidden})" if named else f"a model of {hidden}"


def _labels(shapes: Mapping[str, Shape]) -> int | None:
    return next((s[0] for name, s in shapes.items() if _is_answer(name) and s), None)


def _heads(shapes: Mapping[str, Shape]) -> int | None:
    width = next((s[-1] for name, s in shapes.items() if name.endswith("distance_embedding.weight")), None)
    return sizes_of(shapes).get("hidden_size", 0) // width if width else None


def _is_answer(name: str) -> bool:
    return name.startswith(("classifier.out_proj.", "classifier.weight", "classifier.bias", "qa_outputs."))


def _is_turned(row: Misfit, evidence: Evidence) -> bool:
    if row.found is not None and row.expected is not None:
        return is_matrix(row.name) and row.found[::-1] == row.expected
    return evidence.has_kernels


def _is_layer(row: Misfit, evidence: Evidence) -> bool:
    layer = LAYER.match(row.name)
    return layer is not None and int(layer[1]) >= min(
        evidence.held.get("num_hidden_layers", 0), evidence.wanted.get("num_hidden_layers", 0)
    )


def _has_other_role(row: Misfit, evidence: Evidence) -> bool:
    held, wanted = evidence.roles
    return bool(held) and held != wanted and row.found is None and head_of(row.name) is not None


@dataclass(frozen=True)
class Cause:
    """explains says which tensors it is about; sentence and remedy are filled in with Evidence.words()."""

    explains: Callable[[Misfit, Evidence], bool]
    sentence: str
    remedy: str

    def told(self, evidence: Evidence) -> tuple[str, str]:
        """The sentence, and what to do."""
        words = evidence.words()
        return self.sentence.format(**words), f"{self.remedy.format(**words)}."


def _setting(setting: str, explains: Callable[[Misfit], bool], what: str) -> Cause:
    """The cause that one size is another."""
    return Cause(
        lambda row, evidence: evidence.differs(setting) and explains(row),
        f"{what} {{held[{setting}]:,}} in the file, {{wanted[{setting}]:,}} in the configuration",
        f"Give {setting}={{held[{setting}]}}, or the config.json of these weights: config=..., electra convert --config FILE",
    )


CAUSES = (
    Cause(
        lambda row, evidence: evidence.is_of_objects,
        "a checkpoint of TensorFlow 2's objects, such as NVIDIA's ELECTRA writes: its names are attributes of a program",
        "Let that program's postprocess_pretrained_ckpt.py write discriminator/ and generator/ with tf_model.h5; give these",
    ),
    Cause(
        lambda row, evidence: (
            bool(evidence.found) and all(SLOT.search(name) or name == STEP for name in evidence.found)
        ),
        "the file holds only an optimizer's memory (adam_m, adam_v, exp_avg), not the weights",
        "Give the file with the weights, beside it or of the same step",
    ),
    Cause(
        lambda row, evidence: SLOT.search(row.name) is not None,
        "an optimizer's memory (adam_m, adam_v, exp_avg) among the weights",
        "electra convert FOLDER NEW leaves it out",
    ),
    Cause(
        lambda row, evidence: bool(evidence.wrapper) and (row.found is None or row.expected is None),
        "the names begin with {wrapper}, which {wrapped_by} puts there",
        "electra convert FOLDER NEW takes it away; in training, save the model inside the wrapper",
    ),
    Cause(
        lambda row, evidence: bool(evidence.family) and (row.found is None or row.expected is None),
        "the file holds the weights of another kind of model: {family}",
        "Load it with that model's classes; only ELECTRA's weights fit here",
    ),
    Cause(
        lambda row, evidence: row.name.startswith("pooler."),
        "a pooler, which BERT and its kin have and ELECTRA has not",
        "If the file is an ELECTRA's all the same, electra convert FOLDER NEW leaves the pooler out",
    ),
    Cause(
        _is_turned,
        "matrices the other way round, as Flax and TensorFlow keep them",
        "Give flax_model.msgpack or tf_model.h5 itself under that name, from which they are turned on reading",
    ),
    Cause(
        _has_other_role,
        "a {held_role} where a {wanted_role} is expected",
        "Give the folder of the {wanted_role}, or a config.json whose architectures name the {held_role}'s class",
    ),
    Cause(
        lambda row, evidence: evidence.differs("num_hidden_layers") and _is_layer(row, evidence),
        "{held[num_hidden_layers]} layers in the file, {wanted[num_hidden_layers]} in the configuration",
        "Give num_hidden_layers={held[num_hidden_layers]}, or the config.json of these weights: config=..., "
        "electra convert --config FILE",
    ),
    _setting(
        "vocab_size", lambda row: row.name in VOCABULARY and _differs_at(row, 0), "another vocabulary, vocab_size"
    ),
    _setting(
        "max_position_embeddings",
        lambda row: row.name.endswith((POSITIONS, "distance_embedding.weight")) and _differs_at(row, 0),
        "max_position_embeddings",
    ),
    _setting("type_vocab_size", lambda row: row.name.endswith(TYPES) and _differs_at(row, 0), "type_vocab_size"),
    Cause(
        lambda row, evidence: row.name.endswith("distance_embedding.weight") and _differs_at(row, 1),
        "heads of another width",
        "Give num_attention_heads={heads}; electra convert --heads {heads}",
    ),
    Cause(
        lambda row, evidence: evidence.differs("hidden_size"),
        "the weights are those of {held_model}, the configuration is of {wanted_model}",
        "Give the config.json of these weights: config=..., electra convert --config FILE, for Google's checkpoints none; "
        "or the folder of the other network",
    ),
    _setting("embedding_size", lambda row: True, "another embedding_size,"),
    _setting("intermediate_size", lambda row: LAYER.match(row.name) is not None, "intermediate_size"),
    Cause(
        lambda row, evidence: row.name.endswith("distance_embedding.weight"),
        "relative positions on one side only",
        'Give position_embedding_type="relative_key" where the file has distance_embedding, else "absolute"',
    ),
    Cause(
        lambda row, evidence: ".crossattention." in row.name,
        "cross-attention on one side only",
        "Give is_decoder=True, add_cross_attention=True where the file has crossattention, else False",
    ),
    Cause(
        lambda row, evidence: _is_answer(row.name) and _differs_at(row, 0),
        "another number of labels: {labels} in the file, {wanted_labels} in the configuration",
        "Give num_labels={labels}, or ignore_mismatched_sizes=True for a new head",
    ),
    Cause(
        lambda row, evidence: not evidence.held and row.found is None,
        "the file holds none of an encoder's tensors: it is of another kind of model, or a part of one",
        "Give the file with the whole model",
    ),
    Cause(
        lambda row, evidence: row.found is None,
        "the file is not whole, or was saved in part",
        "Restore it from a good copy, or download it again",
    ),
)


def _differs_at(row: Misfit, axis: int) -> bool:
    sides = (row.found, row.expected)
    return all(side is not None and len(side) > axis for side in sides) and row.found[axis] != row.expected[axis]  # type: ignore[index]


def cause_of(row: Misfit, evidence: Evidence) -> Cause | None:
    """The first cause of the table that explains a tensor."""
    named = row._replace(name=canonical(row.name))
    return next((cause for cause in CAUSES if cause.explains(named, evidence)), None)
