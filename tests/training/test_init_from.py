"""Runs that begin with weights there already are: the first evaluation is the source's, what is lacking is made by the rules,
and what does not fit is refused in words."""

import json
import shutil

import numpy as np
import pytest
from original import Case
from small_run import MODEL, small_settings

import electra
from electra.cli.pretrain import main as pretrain_command
from electra.config import ElectraConfig
from electra.data.corpus import Corpus
from electra.data.prepare import prepare
from electra.errors import ConfigError, FrozenRunError, UsageError, WeightsError
from electra.heads import PREFIXES
from electra.tokenization.vocabulary import pieces_of, write_vocabulary
from electra.training.backend import open_backend
from electra.training.begin import begin
from electra.training.pretrain import pretrain
from electra.training.run import RunFolder, read_metrics
from electra.weights.bundle import write_bundle
from electra.weights.convert import convert
from electra.weights.files import read_tensors
from electra.weights.names import WORD_TABLE
from electra.weights.refit import DISTANCES, POSITIONS, refit
from electra.weights.sources import open_source

TIMES = {"seconds", "tokens_per_second", "seconds_left", "step", "tokens", "flops"}
EMBEDDINGS = "electra.embeddings."
PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "zebra", "old", "river", "##s")


def evaluations(run):
    records = [record for record in read_metrics(run / "metrics.jsonl") if record["kind"] == "evaluation"]
    return [{key: value for key, value in record.items() if key not in TIMES} for record in records]


def notes(run):
    return [record["text"] for record in read_metrics(run / "metrics.jsonl") if record["kind"] == "note"]


def begun(sources, corpus, run, **changes):
    """What a run would begin with."""
    return begin(sources, small_settings(**changes), Corpus.open(corpus), RunFolder(run))


# -- the source's numbers ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def google(short_run, tmp_path_factory):
    """The run as a checkpoint of Google's, its vocabulary beside it."""
    folder = tmp_path_factory.mktemp("converted") / "google"
    convert(open_source(short_run), folder, "google")
    shutil.copy(short_run / "discriminator" / "vocab.txt", folder)
    return folder


def test_the_first_evaluation_of_a_converted_checkpoint_is_the_source_s_last(google, short_run, corpus, tmp_path):
    pretrain(small_settings(steps=2), corpus, tmp_path / "run", init_from=[google], panel=False)
    assert evaluations(tmp_path / "run")[0] == evaluations(short_run)[-1]
    held = RunFolder(tmp_path / "run").settings()
    assert held["init_from"]["sources"] == [str(google)]
    assert {len(digest) for digest in held["init_from"]["sha256"].values()} == {64}
    assert notes(tmp_path / "run") == [
        f"discriminator: ElectraForPreTraining of {google}, 41 tensors",
        f"generator: ElectraForMaskedLM of {google}, 44 tensors",
    ]


@pytest.mark.fault(6)
def test_a_run_a_half_finished_run_and_two_folders_are_the_same_source(short_run, corpus, tmp_path):
    half = tmp_path / "half"
    shutil.copytree(short_run / "checkpoints", half / "checkpoints")
    expected = begun([short_run], corpus, tmp_path / "run").record["init_from"]["sha256"]
    for sources in ([half], [short_run / "generator", short_run / "discriminator"]):
        assert begun(sources, corpus, tmp_path / "run").record["init_from"]["sha256"] == expected


@pytest.mark.parametrize("framework", PREFIXES)
def test_every_framework_begins_with_the_source_s_tensors(framework, google, short_run, corpus, tmp_path):
    start = begun([google], corpus, tmp_path / "run")
    special_ids = Corpus.open(corpus).special_ids
    open_backend(framework, start.networks, small_settings(), special_ids, start.weights).save(tmp_path / "saved")
    for name in start.networks:
        found, source = read_tensors(tmp_path / "saved" / name), read_tensors(short_run / name)
        assert found.keys() == source.keys()
        assert all(np.array_equal(array, source[key]) for key, array in found.items())


def test_a_checkpoint_of_the_original_with_its_own_vocabulary_is_begun_with(corpus, tmp_path):
    case = Case("small_projected")
    write_bundle(tmp_path / "google" / "model.ckpt-30", case.arrays["weights"])
    words = case.arrays["weights"]["electra/embeddings/word_embeddings"]
    wanted = pieces_of(corpus / "tokenizer" / "vocab.txt")
    others = [f"other{number}" for number in range(len(words) - len(wanted))]
    write_vocabulary(tmp_path / "google/vocab.txt", [*others, *wanted])
    start = begun(
        [tmp_path / "google"], corpus, tmp_path / "run", model={"num_attention_heads": 4}, generator_width=None
    )
    table = start.weights["discriminator"][WORD_TABLE]
    np.testing.assert_array_equal(table, words[len(others) :])
    assert start.networks["discriminator"].vocab_size == len(wanted)
    assert start.networks["generator"].hidden_size == case.network("generator").hidden_size
    bias = case.arrays["weights"]["generator_predictions/output_bias"]
    np.testing.assert_array_equal(start.weights["generator"]["generator_lm_head.bias"], bias[len(others) :])


# -- what is lacking --------------------------------------------------------------------------------------------------


def test_a_generator_that_is_missing_is_built_by_the_rules_on_the_discriminator_s_embeddings(
    short_run, corpus, tmp_path
):
    start = begun([short_run / "discriminator"], corpus, tmp_path / "run", generator_width=0.25)
    source = read_tensors(short_run / "discriminator")
    assert all(np.array_equal(start.weights["discriminator"][name], array) for name, array in source.items())
    assert start.networks["generator"] == start.networks["discriminator"].generator(0.25)
    for name, array in start.weights["generator"].items():
        assert not name.startswith(EMBEDDINGS) or np.array_equal(array, source[name])
    assert "generator: new, 2 layers, hidden 8, 1 heads; its embeddings are those of the discriminator" in start.notes


def test_a_discriminator_that_is_missing_is_built_on_the_generator_s_embeddings(short_run, corpus, tmp_path):
    start = begun([short_run / "generator"], corpus, tmp_path / "run")
    source = read_tensors(short_run / "generator")
    assert list(start.networks) == list(start.weights) == ["discriminator", "generator"]
    assert all(np.array_equal(start.weights["generator"][name], array) for name, array in source.items())
    for name, array in start.weights["discriminator"].items():
        assert not name.startswith(EMBEDDINGS) or np.array_equal(array, source[name])
    assert start.notes[0].startswith(
        "discriminator: new, 2 layers, hidden 32, 2 heads; its embeddings are those of the gen"
    )
    with pytest.raises(ConfigError, match="embedding_size would be 128, the generator's is 32"):
        begun([short_run / "generator"], corpus, tmp_path / "run", model={})


def test_an_encoder_gets_a_new_head_and_it_is_said(short_run, corpus, tmp_path):
    electra.ElectraModel.from_pretrained(short_run / "discriminator").save_pretrained(tmp_path / "encoder")
    start = begun([tmp_path / "encoder"], corpus, tmp_path / "run")
    assert f"discriminator: ElectraModel of {tmp_path / 'encoder'}, 37 tensors; its head is new" in start.notes
    assert any("no vocabulary lies beside" in text for text in start.notes)
    mlm = begun([tmp_path / "encoder"], corpus, tmp_path / "run", objective="mlm")
    assert list(mlm.weights) == ["masked_lm"]


def test_masked_language_modelling_goes_on_from_one_network(short_run, corpus, tmp_path):
    settings = small_settings(objective="mlm", steps=2, model={}, size="tiny")
    pretrain(settings, corpus, tmp_path / "run", init_from=[short_run / "generator"], panel=False)
    first = evaluations(tmp_path / "run")[0]
    assert first["mlm_loss"] == pytest.approx(evaluations(short_run)[-1]["mlm_loss"], rel=1e-6)
    with pytest.raises(UsageError, match="two networks for the masked_lm of the run; name the folder of one"):
        begun([short_run], corpus, tmp_path / "other", objective="mlm")


# -- another vocabulary, longer texts ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def other_corpus(texts, tmp_path_factory):
    """The same texts under a vocabulary of ten pieces, nine of which the first has, all but one at another place."""
    folder = tmp_path_factory.mktemp("other")
    write_vocabulary(folder / "vocab.txt", PIECES)
    prepare(
        texts, folder / "corpus", electra.ElectraTokenizerFast(str(folder / "vocab.txt")), held_out=0.1, processes=1
    )
    return folder / "corpus"


def test_pieces_that_both_vocabularies_have_keep_their_rows(short_run, other_corpus, tmp_path):
    pretrain(small_settings(steps=1), other_corpus, tmp_path / "run", init_from=[short_run], panel=False)
    start = begun([short_run], other_corpus, tmp_path / "new")
    again = begun([short_run], other_corpus, tmp_path / "new")
    other_seed = begun([short_run], other_corpus, tmp_path / "new", seed=1)
    known = electra.AutoTokenizer.from_pretrained(short_run / "generator").get_vocab()
    source = read_tensors(short_run / "generator")
    for name, weights in start.weights.items():
        words = weights[WORD_TABLE]
        for number, piece in enumerate(PIECES):
            if piece in known:
                np.testing.assert_array_equal(words[number], source[WORD_TABLE][known[piece]])
        new = PIECES.index("zebra")
        assert 0.01 < np.abs(words[new]).max() < 0.2
        np.testing.assert_array_equal(words[new], again.weights[name][WORD_TABLE][new])
        assert (words[new] != other_seed.weights[name][WORD_TABLE][new]).all()
    bias = start.weights["generator"]["generator_lm_head.bias"]
    assert bias[PIECES.index("zebra")] == 0
    assert bias[PIECES.index("river")] == source["generator_lm_head.bias"][known["river"]]
    left = len(known) - 9
    assert (
        f"vocabulary: 9 of the corpus's 10 pieces keep their rows, 1 are new; {left} rows of the source are left out"
        in (notes(tmp_path / "run"))
    )


def test_without_a_vocabulary_beside_the_source_only_the_same_size_will_do(short_run, other_corpus, tmp_path):
    shutil.copytree(short_run / "discriminator", tmp_path / "bare")
    for file in ("vocab.txt", "tokenizer.json"):
        (tmp_path / "bare" / file).unlink()
    with pytest.raises(WeightsError, match=r"no vocabulary beside it, the corpus 10: .* Put the vocab.txt"):
        begun([tmp_path / "bare"], other_corpus, tmp_path / "run")


def test_longer_texts_begin_with_the_learned_positions_again(short_run, corpus, tmp_path):
    learned = read_tensors(short_run / "discriminator")[POSITIONS]
    start = begun([short_run], corpus, tmp_path / "run", max_length=len(learned) + 20)
    for name in start.networks:
        table = start.weights[name][POSITIONS]
        assert start.networks[name].max_position_embeddings == len(table) == len(learned) + 20
        np.testing.assert_array_equal(table[: len(learned)], learned)
        np.testing.assert_array_equal(table[len(learned) :], learned[:20])
    assert start.notes[-1] == "positions: 128 were learned; those up to 148 begin as repetitions of them"
    assert len(begun([short_run], corpus, tmp_path / "run", max_length=16).weights["generator"][POSITIONS]) == len(
        learned
    )


def test_relative_distances_beyond_the_learned_ones_take_the_farthest():
    learned = np.arange(5.0)[:, None]  # of 3 positions: -2 .. 2
    found = refit(f"electra.encoder.layer.0.attention.self{DISTANCES}", learned, (9, 1), None, lambda: learned)
    assert found[:, 0].tolist() == [0, 0, 0, 1, 2, 3, 4, 4, 4]


# -- continuing -------------------------------------------------------------------------------------------------------


def test_a_stopped_run_goes_on_without_its_source_and_ends_bit_for_bit_the_same(google, corpus, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(google, source)
    settings = small_settings(steps=10)
    pretrain(settings, corpus, tmp_path / "whole", init_from=[source], panel=False)
    shutil.copytree(tmp_path / "whole", tmp_path / "half")
    shutil.rmtree(tmp_path / "half/checkpoints/step-00000010")
    shutil.rmtree(source)
    pretrain(settings, corpus, tmp_path / "half", init_from=[source], panel=False)
    for name in ("discriminator", "generator"):
        files = [(tmp_path / run / name / "model.safetensors").read_bytes() for run in ("whole", "half")]
        assert files[0] == files[1]
    assert evaluations(tmp_path / "half") == evaluations(tmp_path / "whole")
    assert notes(tmp_path / "half") == notes(tmp_path / "whole") != []


@pytest.mark.fault(9)
def test_a_run_without_a_checkpoint_reads_its_source_again_and_notices_other_weights(short_run, corpus, tmp_path):
    shutil.copytree(short_run, tmp_path / "source")
    run = tmp_path / "run"
    pretrain(small_settings(steps=1), corpus, run, init_from=[tmp_path / "source"], panel=False)
    shutil.rmtree(run / "checkpoints")
    for name in ("discriminator", "generator"):
        shutil.rmtree(tmp_path / "source" / name)  # its manifest.json would notice other weights by itself
        shutil.copytree(short_run / "checkpoints/step-00000005" / name, tmp_path / "source" / name)
    with pytest.raises(FrozenRunError, match=r"init_from.sha256.discriminator: was"):
        pretrain(small_settings(steps=1), corpus, run, init_from=[tmp_path / "source"], panel=False)


@pytest.mark.fault(9)
@pytest.mark.parametrize("sources", [[], ["elsewhere"]])
def test_a_run_begun_otherwise_is_refused(sources, short_run, corpus, tmp_path):
    shutil.copytree(short_run, tmp_path / "run")
    if not sources:
        held = json.loads((tmp_path / "run/settings.json").read_text())
        (tmp_path / "run/settings.json").write_text(
            json.dumps(held | {"init_from": {"sources": ["model"], "sha256": {}}})
        )
    told = (
        "no --init-from, and now there is --init-from elsewhere"
        if sources
        else "--init-from model, and now there is no"
    )
    with pytest.raises(FrozenRunError, match=told):
        pretrain(small_settings(steps=10), corpus, tmp_path / "run", init_from=sources, panel=False)


# -- what does not fit ------------------------------------------------------------------------------------------------


def saved(folder, class_name, **changes):
    getattr(electra, class_name)(ElectraConfig(**(MODEL | {"vocab_size": 200} | changes))).save_pretrained(folder)
    return folder


def test_networks_that_were_not_trained_together_are_refused(short_run, corpus, tmp_path):
    config = ElectraConfig.from_pretrained(short_run / "generator")
    electra.ElectraForMaskedLM(config).save_pretrained(tmp_path / "other")
    sources = [short_run / "discriminator", tmp_path / "other"]
    with pytest.raises(WeightsError, match=r"different embeddings .* Give the discriminator alone"):
        begun(sources, corpus, tmp_path / "run")
    narrow = saved(tmp_path / "narrow", "ElectraForMaskedLM", embedding_size=16)
    with pytest.raises(WeightsError, match=r"embedding_size is 32 in the discriminator .* and 16 in the generator"):
        begun([short_run / "discriminator", narrow], corpus, tmp_path / "run")
    with pytest.raises(UsageError, match="two networks for the discriminator of the run"):
        begun([short_run, short_run / "discriminator"], corpus, tmp_path / "run")


def test_what_is_no_network_of_pretraining_is_refused(corpus, tmp_path):
    tags = saved(tmp_path / "tags", "ElectraForTokenClassification")
    with pytest.raises(WeightsError, match="holds ElectraForTokenClassification, from which pretraining cannot go on"):
        begun([tags], corpus, tmp_path / "run")
    with pytest.raises(WeightsError, match="is no checkpoint"):
        begun([tmp_path], corpus, tmp_path / "run")


def test_settings_that_contradict_the_source_are_all_named(short_run, corpus, tmp_path):
    changes = dict(
        model=MODEL | {"hidden_size": 64, "hidden_dropout_prob": 0.3}, generator_width=0.25, generator_depth=0.5
    )
    with pytest.raises(ConfigError) as caught:
        begun([short_run], corpus, tmp_path / "run", **changes)
    for part in (
        f"hidden_size is 64 in the settings' model and 32 in {short_run}",
        "generator_width 0.25 makes hidden_size 8, and it is 16",
        "generator_depth 0.5 makes num_hidden_layers 1, and it is 2",
    ):
        assert part in str(caught.value)
    assert "dropout" not in str(caught.value)


def test_the_source_of_one_named_size_and_settings_of_another_are_refused(corpus, tmp_path):
    sizes = dict(embedding_size=128, hidden_size=128, num_hidden_layers=2, num_attention_heads=4, intermediate_size=512)
    tiny = saved(tmp_path / "tiny", "ElectraForPreTraining", **sizes, vocab_size=Corpus.open(corpus).vocab_size)
    with pytest.raises(ConfigError, match=r"size is small and .*tiny is tiny; choose --preset tiny"):
        begun([tiny], corpus, tmp_path / "run", size="small", model={})
    start = begun(
        [tiny], corpus, tmp_path / "run", size="tiny", model={"hidden_dropout_prob": 0.3}, generator_width=None
    )
    assert start.networks["discriminator"].hidden_dropout_prob == 0.3
    assert start.networks["generator"].hidden_size == 32


def test_the_command_takes_the_flag_twice_and_shows_the_source_s_numbers(short_run, corpus, tmp_path, capfd):
    words = [
        str(corpus),
        str(tmp_path / "run"),
        "--preset",
        "tiny",
        "--steps",
        "1",
        "--max-length",
        "32",
        "--batch-size",
        "8",
    ]
    for name in ("discriminator", "generator"):
        words += ["--init-from", str(short_run / name)]
    assert pretrain_command([*words, "--eval-rows", "16", "--threads", "1", "--precision", "float32"]) == 0
    told = capfd.readouterr().err
    assert f"generator: ElectraForMaskedLM of {short_run / 'generator'}" in told
    assert f"held-out: generator loss {evaluations(short_run)[-1]['mlm_loss']:.3f}" in told
