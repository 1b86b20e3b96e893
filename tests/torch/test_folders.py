"""Model folders of the PyTorch models: written, read, exchanged with the reference, refused."""

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
import transformers
from every_head import answer, inputs_of, model_of
from safetensors.torch import load_file, save_file

import electra
from electra.config import ElectraConfig
from electra.errors import ConfigError, DataError, WeightsError
from electra.heads import HEADS
from electra.torch import ElectraForMaskedLM, ElectraForPreTraining, ElectraModel
from electra.weights.matching import NewWeightsWarning

every_head = pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
HEAD = ["dense.bias", "dense.weight", "dense_prediction.bias", "dense_prediction.weight"]


def tiny(**changes) -> ElectraConfig:
    sizes = {"vocab_size": 99, "embedding_size": 16, "hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 37}
    return ElectraConfig(**(sizes | {"max_position_embeddings": 40} | changes))


IDS = torch.arange(1, 19).reshape(2, 9)


def change_tensors(folder, change) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


@pytest.fixture
def saved(tmp_path):
    ElectraForMaskedLM(tiny()).save_pretrained(tmp_path)
    return tmp_path


@every_head
@pytest.mark.parametrize("changes", [{}, {"embedding_size": 32}, {"tie_word_embeddings": False}], ids=str)
def test_the_reference_loads_what_we_save_and_answers_alike(head, changes, tmp_path):
    model = model_of(head, **changes)
    model.save_pretrained(tmp_path)
    reference, info = getattr(transformers, head.class_name).from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    with torch.no_grad():
        torch.testing.assert_close(
            answer(reference, inputs_of(head)), answer(model, inputs_of(head)), rtol=0, atol=1e-5
        )


@every_head
@pytest.mark.parametrize("changes", [{}, {"embedding_size": 32}, {"tie_word_embeddings": False}], ids=str)
def test_we_load_what_the_reference_saves_and_answer_alike(head, changes, tmp_path):
    values = {key: value for key, value in model_of(head, **changes).config.to_dict().items() if key != "model_type"}
    reference = getattr(transformers, head.class_name)(transformers.ElectraConfig(**values)).eval()
    reference.save_pretrained(tmp_path)
    model, info = getattr(electra, head.class_name).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values())
    with torch.no_grad():
        torch.testing.assert_close(
            answer(model, inputs_of(head)), answer(reference, inputs_of(head)), rtol=0, atol=1e-5
        )


@pytest.mark.parametrize("is_tied", [True, False])
def test_the_output_table_is_saved_only_where_it_is_not_the_word_table(is_tied, tmp_path):
    ElectraForMaskedLM(tiny(tie_word_embeddings=is_tied)).save_pretrained(tmp_path)
    assert ("generator_lm_head.weight" in load_file(tmp_path / "model.safetensors")) is not is_tied


def test_the_configuration_saved_names_the_class_and_the_type(saved):
    values = json.loads((saved / "config.json").read_text())
    assert values["architectures"] == ["ElectraForMaskedLM"]
    assert values["torch_dtype"] == "float32"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_model_comes_back_bit_for_bit_in_every_type(dtype, tmp_path):
    model = ElectraForPreTraining(tiny()).to(dtype)
    model.save_pretrained(tmp_path)
    again = ElectraForPreTraining.from_pretrained(tmp_path, dtype="auto")
    assert again.dtype == dtype
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())
    assert ElectraForPreTraining.from_pretrained(tmp_path).dtype == torch.float32


def test_an_unknown_type_is_refused(saved):
    with pytest.raises(ConfigError, match="'float33'"):
        ElectraForMaskedLM.from_pretrained(saved, torch_dtype="float33")


def test_shards_are_written_and_read_and_replaced_by_one_file(tmp_path):
    model = ElectraForMaskedLM(tiny())
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    shards = sorted(path.name for path in tmp_path.glob("model-*"))
    assert len(shards) > 2
    assert all((tmp_path / shard).stat().st_size < 25_000 for shard in shards)
    for read in (
        ElectraForMaskedLM.from_pretrained(tmp_path),
        transformers.ElectraForMaskedLM.from_pretrained(tmp_path),
    ):
        assert all(torch.equal(value, read.state_dict()[name]) for name, value in model.state_dict().items())
    model.save_pretrained(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]


def test_saving_keeps_the_user_s_files(saved):
    (saved / "notes.txt").write_text("mine")
    ElectraForMaskedLM(tiny(num_hidden_layers=1)).save_pretrained(saved)
    assert (saved / "notes.txt").read_text() == "mine"
    assert ElectraForMaskedLM.from_pretrained(saved).config.num_hidden_layers == 1


@pytest.mark.fault(2)
def test_a_disk_that_refuses_leaves_the_old_model_whole(saved):
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    script = f"""
        import resource
        from electra.config import ElectraConfig
        from electra.errors import WriteError
        from electra.torch import ElectraForMaskedLM
        model = ElectraForMaskedLM(ElectraConfig(vocab_size=2000, num_hidden_layers=1))
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            model.save_pretrained({str(saved)!r})
        except WriteError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert "bytes are needed" in done.stdout
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before


def test_saving_removes_what_a_killed_process_left_in_the_folder(saved):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (saved / f".model.stage-{dead.pid}-00").mkdir()
    ElectraForMaskedLM(tiny()).save_pretrained(saved)
    assert sorted(path.name for path in saved.iterdir()) == ["config.json", "model.safetensors"]


@pytest.mark.fault(15)
def test_a_head_the_file_lacks_starts_at_random_and_is_named(tmp_path):
    ElectraForPreTraining(tiny()).save_pretrained(tmp_path)
    with pytest.warns(NewWeightsWarning, match=r"generator_lm_head.bias.*it has discriminator_predictions instead"):
        model, info = ElectraForMaskedLM.from_pretrained(tmp_path, output_loading_info=True)
    norm = ["generator_predictions.LayerNorm.bias", "generator_predictions.LayerNorm.weight"]
    dense = ["generator_predictions.dense.bias", "generator_predictions.dense.weight"]
    assert sorted(info["missing_keys"]) == ["generator_lm_head.bias", *norm, *dense]
    assert sorted(info["unexpected_keys"]) == [f"discriminator_predictions.{name}" for name in HEAD]
    assert (model.generator_predictions.LayerNorm.weight == 1).all()
    assert 0 < model.generator_predictions.dense.weight.abs().max() <= 0.04


def test_the_bare_encoder_and_a_head_load_each_other(tmp_path):
    discriminator = ElectraForPreTraining(tiny()).eval()
    discriminator.save_pretrained(tmp_path / "discriminator")
    encoder = ElectraModel.from_pretrained(tmp_path / "discriminator")
    assert torch.equal(encoder(IDS)[0], discriminator.electra(IDS)[0])
    encoder.save_pretrained(tmp_path / "encoder")
    assert "embeddings.word_embeddings.weight" in load_file(tmp_path / "encoder" / "model.safetensors")
    with pytest.warns(NewWeightsWarning, match="discriminator_predictions.dense.weight"):
        again = ElectraForPreTraining.from_pretrained(tmp_path / "encoder")
    assert torch.equal(again.electra(IDS)[0], encoder(IDS)[0])


@pytest.mark.fault(14, 15)
def test_every_tensor_that_does_not_fit_is_listed_at_once(saved):
    def change(tensors):
        del tensors["electra.embeddings.LayerNorm.bias"]
        tensors["electra.embeddings.LayerNorm.betta"] = torch.zeros(16)
        tensors["electra.embeddings.position_embeddings.weight"] = torch.zeros(41, 16)

    change_tensors(saved, change)
    with pytest.raises(WeightsError) as caught:
        ElectraForMaskedLM.from_pretrained(saved)
    text = str(caught.value)
    rows = [line.split(maxsplit=1) for line in text.splitlines()[2:5]]
    assert [row[0].removeprefix("electra.embeddings.") for row in rows] == [
        "LayerNorm.bias",
        "LayerNorm.betta",
        "position_embeddings.weight",
    ]
    assert 'unknown       (did you mean "electra.embeddings.LayerNorm.bias"?)' in rows[1][1]
    assert [(row.found, row.expected) for row in caught.value.misfits] == [
        (None, (16,)),
        ((16,), None),
        ((41, 16), (40, 16)),
    ]


@pytest.mark.fault(14)
@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"vocab_size": 120}, "another vocabulary, vocab_size 99 in the file, 120 in the configuration"),
        ({"embedding_size": 8}, "another embedding_size, 16 in the file, 8 in the configuration"),
        (
            {"hidden_size": 64, "intermediate_size": 128},
            "hidden_size 32, the configuration is of a model of hidden_size 64",
        ),
        ({"num_hidden_layers": 3}, "2 layers in the file, 3 in the configuration"),
    ],
)
def test_the_likely_cause_of_a_misfit_is_named(saved, changes, cause):
    with pytest.raises(WeightsError, match=cause):
        ElectraForMaskedLM.from_pretrained(saved, **changes)


def test_a_misshapen_tensor_starts_at_random_only_where_asked(saved):
    with pytest.warns(NewWeightsWarning, match="word_embeddings"):
        model, info = ElectraForMaskedLM.from_pretrained(
            saved, vocab_size=120, ignore_mismatched_sizes=True, output_loading_info=True
        )
    assert ("electra.embeddings.word_embeddings.weight", (99, 16), (120, 16)) in info["mismatched_keys"]
    assert (model.get_input_embeddings().weight != 0).any(dim=1).all()


@pytest.mark.fault(17)
def test_another_kind_of_model_is_recognised(saved):
    save_file({"bert.encoder.weight": torch.zeros(2)}, saved / "model.safetensors", {"format": "pt"})
    with pytest.raises(WeightsError, match="the weights of another kind of model"):
        ElectraModel.from_pretrained(saved)


def test_the_first_converters_names_of_a_norm_are_known(saved):
    model = ElectraForMaskedLM.from_pretrained(saved)

    def change(tensors):
        for name in [name for name in tensors if "LayerNorm" in name]:
            tensors[name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta")] = tensors.pop(name)

    change_tensors(saved, change)
    assert torch.equal(ElectraForMaskedLM.from_pretrained(saved)(IDS).logits, model(IDS).logits)


def test_what_older_tools_wrote_beyond_our_tensors_is_tolerated(saved):
    def change(tensors):
        tensors["electra.embeddings.position_ids"] = torch.arange(40)[None]
        tensors["generator_lm_head.weight"] = tensors["electra.embeddings.word_embeddings.weight"].clone()

    change_tensors(saved, change)
    _, info = ElectraForMaskedLM.from_pretrained(saved, output_loading_info=True)
    assert info["unexpected_keys"] == []


def test_an_output_table_of_its_own_is_not_thrown_away_silently(saved):
    change_tensors(saved, lambda tensors: tensors.update({"generator_lm_head.weight": torch.ones(99, 16)}))
    with pytest.raises(WeightsError, match="tie_word_embeddings=False"):
        ElectraForMaskedLM.from_pretrained(saved)
    model = ElectraForMaskedLM.from_pretrained(saved, tie_word_embeddings=False)
    assert (model.generator_lm_head.weight == 1).all()


@pytest.mark.fault(11)
def test_numbers_that_are_not_finite_are_refused(saved):
    def change(tensors):
        tensors["generator_lm_head.bias"][3] = float("nan")

    change_tensors(saved, change)
    with pytest.raises(WeightsError, match=r"generator_lm_head.bias hold numbers that are not finite"):
        ElectraForMaskedLM.from_pretrained(saved)


@pytest.mark.fault(30)
def test_a_vocabulary_larger_than_the_model_is_refused(saved):
    (saved / "vocab.txt").write_text("\n".join(map(str, range(100))))
    with pytest.raises(WeightsError, match="100 tokens, but the model has vocab_size 99"):
        ElectraForMaskedLM.from_pretrained(saved)


@pytest.mark.fault(5)
def test_a_pickle_is_read_only_where_allowed(saved):
    model = ElectraForMaskedLM.from_pretrained(saved)
    (saved / "model.safetensors").unlink()
    torch.save(model.state_dict(), saved / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"a pickle, which can carry code.*allow_pickle_weights=True"):
        ElectraForMaskedLM.from_pretrained(saved)
    again = ElectraForMaskedLM.from_pretrained(saved, allow_pickle_weights=True)
    assert torch.equal(again(IDS).logits, model(IDS).logits)


class Attack:
    """Unpickled by a careless reader, this would run `print`."""

    def __reduce__(self):
        return print, ("ran",)


@pytest.mark.fault(5)
def test_a_pickle_with_code_is_refused_and_not_run(saved, capsys):
    (saved / "model.safetensors").unlink()
    torch.save({"weight": Attack()}, saved / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"pytorch_model.bin was refused"):
        ElectraForMaskedLM.from_pretrained(saved, allow_pickle_weights=True)
    assert "ran" not in capsys.readouterr().out


def test_a_folder_without_weights_says_what_it_holds(tmp_path):
    tiny().save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match=r"no model.safetensors.*it holds config.json"):
        ElectraModel.from_pretrained(tmp_path)
    with pytest.raises(DataError, match="does not exist; expected a model folder"):
        ElectraModel.from_pretrained(tmp_path / "nowhere")


def test_pruned_and_resized_models_come_back_as_they_are(tmp_path):
    model = ElectraForMaskedLM(tiny()).eval()
    model.prune_heads({0: [1, 2], 1: [0]})
    model.prune_heads({0: [3]})
    model.resize_token_embeddings(130)
    model.save_pretrained(tmp_path)
    again = ElectraForMaskedLM.from_pretrained(tmp_path)
    assert again.config.pruned_heads == {0: [1, 2, 3], 1: [0]}
    np.testing.assert_array_equal(again(IDS).logits.detach(), model(IDS).logits.detach())


def test_a_configuration_given_is_used_in_place_of_the_folder_s(saved):
    config = tiny(hidden_dropout_prob=0.3)
    assert ElectraForMaskedLM.from_pretrained(saved, config=config).config.hidden_dropout_prob == 0.3
    changed = ElectraForMaskedLM.from_pretrained(saved, config=config, output_attentions=True).config
    assert changed.output_attentions
    assert changed.hidden_dropout_prob == 0.3
