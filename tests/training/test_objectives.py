"""Runs of every objective, generator and way to share: they learn, continue bit for bit, and leave folders anyone can load."""

import shutil

import pytest
import torch
from small_run import MODEL, small_settings
from test_runs import contents

import electra
from electra.data.corpus import Corpus
from electra.errors import ConfigError, FrozenRunError, WeightsError
from electra.torch.backend import Backend
from electra.training.begin import begin
from electra.training.encoder import open_encoder
from electra.training.pretrain import pretrain
from electra.training.run import RunFolder, read_metrics
from electra.training.settings import PretrainSettings, preset
from electra.training.steps import Steps

TOWERS = {"generator_ltr", "generator_rtl", "cloze"}
# settings -> the folders of the finished run, and the loss that falls
RUNS = {
    "electra_masked_only": (dict(embedding_sharing="tokens"), {"discriminator", "generator"}, "mlm_loss"),
    "replace_mlm": (dict(embedding_sharing="none"), {"masked_lm", "generator"}, "prediction_loss"),
    "all_tokens_mlm": (dict(final_temperature=2.0), {"discriminator", "masked_lm", "generator"}, "prediction_loss"),
    "electric": (dict(generator="two_towers"), {"discriminator", *TOWERS}, "cloze_loss"),
    "gdes": (dict(objective="electra", embedding_sharing="gdes"), {"discriminator", "generator"}, "mlm_loss"),
    "tied": (dict(objective="electra", generator="tied", generator_width=None), {"discriminator", "generator"}, "mlm_loss"),
    "uniform": (
        dict(objective="electra", generator="uniform", generator_width=None, start="local", learning_rate=3e-3,
             model=MODEL | {"hidden_size": 64, "embedding_size": 64}),
        {"discriminator"}, "discriminator_loss",
    ),
}  # fmt: skip


def settings_of(name, **changes):
    values = dict(objective=name, steps=20, checkpoint_every=10, eval_every=10, warmup_steps=2, log_every=2)
    return small_settings(**(values | dict(learning_rate=3e-3) | RUNS[name][0] | changes))


@pytest.mark.parametrize("name", RUNS)
def test_a_short_run_learns_and_continues_bit_for_bit(name, corpus, tmp_path):
    settings, folders, loss = settings_of(name), *RUNS[name][1:]
    run = tmp_path / "run"
    pretrain(settings, corpus, run, panel=False)
    assert {path.name for path in run.iterdir() if path.is_dir()} == folders | {"checkpoints"}
    records = list(read_metrics(run / "metrics.jsonl"))
    losses = [record[loss] for record in records if record["kind"] == "train"]
    assert losses[-1] < losses[0]
    evaluation = records[-1]
    assert evaluation["kind"] == "evaluation"
    assert 0 < evaluation["replaced_share"] <= 1
    assert ("prediction_loss" in evaluation) == (name in ("replace_mlm", "all_tokens_mlm"))
    assert ("roc_auc" in evaluation) == (name != "replace_mlm")

    killed = shutil.copytree(run, tmp_path / "killed")
    for lost in (killed / "checkpoints" / "step-00000020", *(killed / folder for folder in folders)):
        shutil.rmtree(lost)
    pretrain(settings, corpus, killed, panel=False)
    assert contents(killed) == contents(run)

    encoder = open_encoder(str(run), print)
    assert encoder.config.hidden_size == settings.model["hidden_size"]
    for folder in folders & {"discriminator", "masked_lm", "generator", "generator_ltr"}:
        model, found = electra.ElectraModel.from_pretrained(run / folder, output_loading_info=True)
        assert not found["missing_keys"]
        assert model.config.is_decoder == folder.endswith("ltr")


def backend_of(name, corpus, **changes):
    settings, opened = settings_of(name, **changes), Corpus.open(corpus, "train")
    return Backend(settings.networks(opened.vocab_size, opened.special_ids["pad"]), settings, opened.special_ids)


@pytest.mark.parametrize("name", ["electra_masked_only", "replace_mlm", "all_tokens_mlm", "gdes"])
def test_the_fused_encoder_gives_the_losses_and_gradients_of_the_plain_layers(name, corpus):
    found = []
    for is_fused in (True, False):
        backend = backend_of(name, corpus, final_temperature=None)
        assert backend.is_fused
        backend.is_fused = is_fused
        backend._set_training(False)  # no dropout: its coins differ
        outcome = backend.outcome(Steps(corpus, "train", backend.settings)(0)[0], with_probabilities=False)
        outcome.loss.backward()
        found.append((outcome.loss.item(), {name: p.grad for name, p in backend.parameters().items()}))
    (loss, gradients), (plain_loss, plain) = found
    assert loss == pytest.approx(plain_loss, rel=1e-5)
    for name, gradient in plain.items():
        torch.testing.assert_close(gradients[name], gradient, rtol=1e-3, atol=1e-5, msg=name)


def test_with_gdes_no_gradient_of_the_discriminator_reaches_the_generator(corpus):
    backend = backend_of("gdes", corpus, generator_weight=0.0)
    part = Steps(corpus, "train", backend.settings)(0)[0]
    backend.outcome(part).loss.backward()
    reached = {name for name, p in backend.parameters().items() if p.grad is not None and p.grad.any()}
    assert not any(name.startswith("generator.") for name in reached)
    for table in ("word", "position"):
        assert f"discriminator.electra.embeddings.{table}_embeddings.weight" in reached


def test_with_gdes_a_folder_holds_the_sum_and_a_run_begins_as_if_all_were_shared(corpus, tmp_path):
    backend = backend_of("gdes", corpus)
    name = "electra.embeddings.word_embeddings.weight"
    tables = [backend.models[network].state_dict()[name].clone() for network in ("discriminator", "generator")]
    assert torch.equal(*tables)
    steps = Steps(corpus, "train", backend.settings)
    for step in range(3):
        backend.train_step(steps(step), step=step, learning_rate=1e-2)
    backend.save(tmp_path)
    saved = [electra.ElectraModel.from_pretrained(tmp_path / network) for network in ("discriminator", "generator")]
    words = [model.get_input_embeddings().weight for model in saved]
    difference = backend.models["discriminator"].electra.embeddings.word_embeddings.difference
    assert difference.abs().max() > 1e-3
    assert torch.equal(words[0], words[1] + difference)
    ids = torch.tensor([[2, 40, 41, 3]])
    backend._set_training(False)
    torch.testing.assert_close(backend.models["discriminator"].electra(ids)[0], saved[0](ids)[0], rtol=0, atol=1e-6)


def test_networks_share_what_the_settings_say_and_train_it_once(corpus):
    for sharing, shared in (("all", 5), ("tokens", 1)):
        backend = backend_of("electra_masked_only", corpus, embedding_sharing=sharing)
        ours, theirs = (dict(backend.models[name].named_parameters()) for name in ("discriminator", "generator"))
        same = [name for name in ours.keys() & theirs.keys() if ours[name] is theirs[name]]
        assert len(same) == shared
        assert not any(f"generator.{name}" in backend.parameters() for name in same)
    alone = backend_of("replace_mlm", corpus)
    assert alone.models["generator"].config.embedding_size == alone.models["generator"].config.hidden_size


@pytest.fixture(scope="module")
def generator(corpus, tmp_path_factory):
    """The folder of a generator that was trained."""
    run = tmp_path_factory.mktemp("before") / "run"
    pretrain(small_settings(steps=10), corpus, run, panel=False)
    return run / "generator"


@pytest.mark.parametrize("sharing", ["none", "gdes"])
def test_a_fixed_generator_samples_and_stays_as_it_is(sharing, generator, corpus, tmp_path):
    folder = shutil.copytree(generator, tmp_path / "given")
    fixed = dict(generator="fixed", generator_folder=str(folder), generator_width=None, embedding_sharing=sharing)
    settings = small_settings(steps=10, eval_every=5, **fixed)
    run = tmp_path / "run"
    pretrain(settings, corpus, run, panel=False)
    before, after = (electra.ElectraForMaskedLM.from_pretrained(path) for path in (folder, run / "generator"))
    assert all(torch.equal(one, other) for one, other in zip(before.parameters(), after.parameters(), strict=True))
    evaluations = [record for record in contents(run)[1] if record["kind"] == "evaluation"]
    assert evaluations[0]["mlm_loss"] == evaluations[1]["mlm_loss"]  # while the discriminator learns
    assert evaluations[0]["discriminator_loss"] != evaluations[1]["discriminator_loss"]
    record = RunFolder(run).settings()
    assert len(record["generator"]["sha256"]) == 64

    shutil.rmtree(folder)  # the run has its own copy
    shutil.rmtree(run / "checkpoints" / "step-00000010")
    kept = contents(run)
    pretrain(settings, corpus, run, panel=False)
    assert contents(run)[1] == kept[1]
    with pytest.raises(FrozenRunError, match="generator_folder"):
        pretrain(
            small_settings(steps=10, eval_every=5, **(fixed | dict(generator_folder="other"))), corpus, run, panel=False
        )


def test_a_generator_of_another_vocabulary_or_kind_is_refused(generator, corpus, tmp_path):
    opened, run = Corpus.open(corpus, "train"), RunFolder(tmp_path / "run")

    def start(folder):
        fixed = dict(generator="fixed", generator_folder=str(folder), generator_width=None, embedding_sharing="none")
        return begin([], small_settings(**fixed), opened, run)

    with pytest.raises(WeightsError, match="holds discriminator; a fixed generator is one network"):
        start(generator.parent / "discriminator")
    other = shutil.copytree(generator, tmp_path / "other")
    pieces = (other / "vocab.txt").read_text(encoding="utf-8").splitlines()
    pieces[-1], pieces[-2] = pieces[-2:]
    for path in other.glob("*token*"):
        path.unlink()
    (other / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    with pytest.raises(WeightsError, match="another vocabulary than the corpus"):
        start(other)


def test_samples_follow_the_temperature_of_their_step(corpus):
    settings = small_settings(temperature=2.0, final_temperature=0.5, steps=4)
    steps = Steps(corpus, "train", settings)
    assert [steps(step)[0][1].temperature[0, 0] for step in range(4)] == pytest.approx([2.0, 1.5, 1.0, 0.5])
    assert steps.held_out()[0][1].temperature[0, 0] == 0.5
    assert Steps(corpus, "train", small_settings())(0)[0][1].temperature is None


def test_what_does_not_go_together_is_refused_at_once_and_says_why():
    with pytest.raises(ConfigError) as caught:
        PretrainSettings(
            objective="electric", generator="fixed", temperature=2.0, disallow_correct=True, generator_width=0.5,
            embedding_sharing="tokens",
        )  # fmt: skip
    message = str(caught.value)
    assert "6 problems" in message
    for part in (
        "objective electric needs the probability of every token given all others",
        "temperature is 2.0; objective electric needs samples of the towers as they are",
        "disallow_correct is True",
        "generator_width is 0.5, and generator fixed has a size of its own",
        "generator_folder does not say where it is",
        "what is shared is trained, but a fixed generator is not",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (dict(objective="mlm", generator="tied"), "objective mlm has no generator"),
        (dict(objective="replace_mlm", embedding_sharing="gdes"), "main network of objective replace_mlm names tokens"),
        (dict(generator="tied", embedding_sharing="none"), "is the main network's encoder, embeddings included"),
        (dict(generator="two_towers", embedding_sharing="tokens"), "reads by the main network's embeddings"),
        (dict(generator="uniform", embedding_sharing="gdes"), "has no embeddings"),
        (dict(generator_folder="somewhere"), "generator is 'own', not 'fixed'"),
        (dict(objective="elektra"), 'did you mean "electra"'),
        (dict(embedding_sharing="gedes"), 'did you mean "gdes"'),
        (dict(final_temperature=0.0), "final_temperature is 0.0, expected a positive number"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_wrong_pair_has_its_reason(changes, reason):
    with pytest.raises(ConfigError, match=reason):
        preset("small", **changes)


def test_weights_to_begin_with_are_those_of_a_pair_or_refused(generator, corpus, tmp_path):
    opened, run = Corpus.open(corpus, "train"), RunFolder(tmp_path / "run")
    pair = [generator.parent]
    found = begin(pair, small_settings(objective="electra_masked_only"), opened, run)
    assert set(found.networks) == {"discriminator", "generator"}
    with pytest.raises(ConfigError, match="with generator own and embedding_sharing gdes begins with first weights"):
        begin(pair, small_settings(embedding_sharing="gdes"), opened, run)
