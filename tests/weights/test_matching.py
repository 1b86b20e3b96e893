"""Why weights do not fit: each cause is named, with the sizes and models it is about, and what solves it."""

import re
from pathlib import Path

import pytest

from electra.config import ElectraConfig
from electra.errors import WeightsError
from electra.weights import matching
from electra.weights.causes import CAUSES, unwrapped
from electra.weights.names import tensors

SMALL, BASE = ElectraConfig.small(), ElectraConfig.base()


def shapes(config, part="pretraining"):
    return tensors(config) | tensors(config, part)


def generator(size, width):
    return shapes(ElectraConfig.of_size(size).generator(width), "masked_lm")


def renamed(found, change):
    return {change(name): shape for name, shape in found.items()}


def turned(name, found):
    return {**found, name: found[name][::-1]}


def explain(found, expected):
    """The error of a file with these shapes for a model with those, as a conversion raises it."""
    result = matching.match(found, expected, is_tied=True)
    return matching.misfit_error(Path("FILE"), result, result.missing, result.unexpected, result.mismatched)


OBJECTS = "model/discriminator/electra/embeddings/LayerNorm/gamma/.ATTRIBUTES/VARIABLE_VALUE"
PROJECT = "electra.embeddings_project.weight"
# what the file holds, what the model has, what is said
CASES = {
    "TF2 objects": ({OBJECTS: (768,)}, shapes(BASE), "NVIDIA's ELECTRA.*\n.*postprocess_pretrained_ckpt"),
    "slots alone": ({"electra.x/adam_m": (3,)}, shapes(SMALL), r"only an optimizer's memory \(adam_m.*\n.*the weights"),
    "slots beside": (
        shapes(SMALL) | {"electra.x/adam_v": (3,)},
        shapes(BASE),
        "an optimizer's memory .*among the weights\n.*electra convert FOLDER NEW leaves it out",
    ),
    "data parallel": (
        renamed(shapes(SMALL), lambda name: f"module.{name}"),
        shapes(SMALL),
        r"begin with module\., which DistributedDataParallel or DataParallel puts.*\n.*convert FOLDER NEW takes it away",
    ),
    "compiled": (
        renamed(shapes(SMALL), lambda name: f"_orig_mod.{name}"),
        shapes(SMALL),
        r"begin with _orig_mod\., which torch.compile puts there",
    ),
    "BERT": (
        renamed(shapes(SMALL), lambda name: name.replace("electra", "bert")),
        shapes(SMALL),
        "another kind of model: BERT\n.*Load it with that model's classes",
    ),
    "DeBERTa": (
        renamed(shapes(SMALL), lambda name: name.replace("electra", "deberta")),
        shapes(SMALL),
        "another kind of model: DeBERTa\n",
    ),
    "one turned": (
        turned(PROJECT, shapes(SMALL)),
        shapes(SMALL),
        "the other way round, as Flax and TensorFlow keep them",
    ),
    "kernels": (
        renamed(shapes(SMALL), lambda name: name.replace("dense.weight", "dense.kernel")),
        shapes(SMALL),
        "the other way round.*\n.*flax_model.msgpack or tf_model.h5",
    ),
    "a discriminator": (
        shapes(SMALL),
        shapes(SMALL, "masked_lm"),
        "a discriminator where a generator is expected\n.*the folder of the generator, or a config.json whose architectures",
    ),
    "a generator": (shapes(SMALL, "masked_lm"), shapes(SMALL), "a generator where a discriminator is expected"),
    "layers": (
        shapes(ElectraConfig.small(num_hidden_layers=24)),
        shapes(SMALL),
        "24 layers in the file, 12 in the configuration\n.*num_hidden_layers=24.*--config FILE",
    ),
    "vocabulary": (
        shapes(ElectraConfig.small(vocab_size=32000)),
        shapes(SMALL),
        "another vocabulary, vocab_size 32,000 in the file, 30,522 in the configuration\n.*vocab_size=32000",
    ),
    "positions": (
        shapes(ElectraConfig.small(max_position_embeddings=128)),
        shapes(SMALL),
        "max_position_embeddings 128 in the file, 512 in the configuration\n.*max_position_embeddings=128",
    ),
    "types": (shapes(ElectraConfig.small(type_vocab_size=1)), shapes(SMALL), "type_vocab_size 1 in the file, 2 in"),
    "heads": (
        shapes(ElectraConfig.small(position_embedding_type="relative_key", num_attention_heads=8)),
        shapes(ElectraConfig.small(position_embedding_type="relative_key")),
        "heads of another width\n.*num_attention_heads=8; electra convert --heads 8",
    ),
    "small's generator": (
        generator("small", 0.25),
        generator("small++", 1.0),
        r"those of the small generator \(hidden_size 64\), the configuration is of the small\+\+ generator "
        r"\(hidden_size 256\)\n.*--config FILE",
    ),
    "small++'s generator": (
        generator("small++", 1.0),
        generator("small", 0.25),
        r"those of the small\+\+ generator \(hidden_size 256\), the configuration is of the small generator \(hidden_size 64\)",
    ),
    "base's generator": (
        generator("base", 1 / 3),
        shapes(BASE),
        r"those of the base generator \(hidden_size 256\), the configuration is of the base discriminator \(hidden_size 768\)",
    ),
    "a generator with its discriminator's configuration": (
        generator("small", 0.25),
        shapes(SMALL, "masked_lm"),
        r"those of the small generator \(hidden_size 64\), the configuration is of the small\+\+ generator \(hidden_size 256\)",
    ),
    "base's generator with its discriminator's configuration": (
        generator("base", 1 / 3),
        shapes(BASE, "masked_lm"),
        r"those of the base generator \(hidden_size 256\), the configuration is of the base discriminator \(hidden_size 768\)",
    ),
    "large": (
        shapes(ElectraConfig.large()),
        shapes(BASE),
        r"those of the large discriminator \(hidden_size 1024\), the configuration is of the base disc",
    ),
    "embedding": (
        shapes(ElectraConfig.small(embedding_size=64)),
        shapes(SMALL),
        "another embedding_size, 64 in the file, 128 in the configuration\n.*embedding_size=64",
    ),
    "feed-forward": (
        shapes(ElectraConfig.small(intermediate_size=512)),
        shapes(SMALL),
        "intermediate_size 512 in the file, 1,024 in the configuration",
    ),
    "relative positions": (
        shapes(ElectraConfig.small(position_embedding_type="relative_key")),
        shapes(SMALL),
        'relative positions on one side only\n.*position_embedding_type="relative_key"',
    ),
    "cross-attention": (
        shapes(SMALL),
        shapes(ElectraConfig.small(is_decoder=True, add_cross_attention=True)),
        "cross-attention on one side only\n.*add_cross_attention=True",
    ),
    "labels": (
        shapes(ElectraConfig.small(num_labels=3), "sequence_classification"),
        shapes(SMALL, "sequence_classification"),
        "another number of labels: 3 in the file, 2 in the configuration\n.*num_labels=3, or ignore_mismatched_sizes=True",
    ),
    "pooler": (
        shapes(SMALL) | {"pooler.dense.weight": (256, 256)},
        shapes(BASE),
        "a pooler, which BERT and its kin have",
    ),
    "something else": ({"weight": (2, 2)}, shapes(SMALL), "another kind of model, or a part of one"),
    "not whole": (
        {name: shape for name, shape in shapes(SMALL).items() if "layer.3.output" not in name},
        shapes(SMALL),
        "the file is not whole, or was saved in part",
    ),
}


@pytest.mark.fault(14, 15)
@pytest.mark.parametrize("case", CASES)
def test_the_cause_is_named_with_what_solves_it(case):
    found, expected, said = CASES[case]
    with pytest.raises(WeightsError, match=said):
        raise explain(found, expected)


def test_every_row_of_the_table_of_causes_has_a_case():
    told = "\n".join(str(explain(found, expected)) for found, expected, _ in CASES.values())
    for cause in CAUSES:
        assert max(re.split(r"\{.*?\}", cause.sentence), key=len) in told, cause.sentence


def test_several_causes_are_told_apart():
    found = shapes(ElectraConfig.small(vocab_size=32000, num_labels=3), "sequence_classification")
    text = str(explain(found, shapes(SMALL, "sequence_classification")))
    lines = [line.split() for line in text.splitlines()[2:5]]
    assert [(line[0].rpartition(".")[0], line[-1]) for line in lines] == [
        ("electra.embeddings.word_embeddings", "[1]"),
        ("classifier.out_proj", "[2]"),
        ("classifier.out_proj", "[2]"),
    ]
    assert "[1] another vocabulary" in text
    assert "[2] another number of labels" in text


def test_layers_share_a_row_and_the_error_has_every_tensor():
    error = explain(shapes(BASE), shapes(SMALL))
    text = str(error)
    assert len(text.splitlines()) <= 30
    assert "electra.encoder.layer.{0-11}.attention.self.query.weight  " in text
    assert len(error.misfits) == len(set(error.misfits)) > 190
    assert ("electra.encoder.layer.7.output.dense.bias", (768,), (256,)) in error.misfits


def test_columns_are_aligned():
    table = str(explain(shapes(BASE), shapes(SMALL))).splitlines()[1:-2]
    places = {line.index("[1]") for line in table[1:]}
    assert places == {table[0].index("cause")}


def test_a_long_table_is_cut_with_a_count():
    error = explain(shapes(SMALL) | {f"extra{i}": (1,) for i in range(100)}, shapes(SMALL) | {"wanted": (2,)})
    assert "and 61 tensors more, all of them in `misfits` of this error" in str(error)
    assert len(error.misfits) == 101


def test_names_fold_by_their_layers():
    names = [f"encoder.layer.{i}.bias" for i in (0, 1, 2, 5)] + ["pooler.bias", "encoder.layer.3.weight"]
    assert matching.fold(names) == ["encoder.layer.{0-2,5}.bias", "pooler.bias", "encoder.layer.3.weight"]


def test_wrappers_are_taken_off_in_any_order():
    assert unwrapped("module._orig_mod.electra.x") == unwrapped("_orig_mod.module.electra.x") == "electra.x"
    assert unwrapped("electra.module.x") == "electra.module.x"
