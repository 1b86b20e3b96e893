"""Conversion: the original's checkpoints to model folders and back, round trips bit for bit, and refusals that explain."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
import transformers
from original import Case, state_dict
from safetensors.torch import load_file, save_file

import electra
from electra.config import ElectraConfig
from electra.errors import UsageError, WeightsError
from electra.heads import HEADS
from electra.torch import share_embeddings
from electra.weights.bundle import Bundle, write_bundle
from electra.weights.checkpoint import write_folder_atomically
from electra.weights.convert import GOOGLE_NAME, convert
from electra.weights.files import widen
from electra.weights.google import find_networks, google_name
from electra.weights.halves import to_bfloat16
from electra.weights.infer import infer_config
from electra.weights.matching import NewWeightsWarning
from electra.weights.names import tensors
from electra.weights.sources import open_source

CASES = [
    "small_projected",
    "base_equal",
    "untied_embeddings",
    "tied_generator",
    "bert_mlm",
    "uniform_generator",
    "two_towers",
]
TINY = {
    "vocab_size": 99,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "intermediate_size": 37,
    "max_position_embeddings": 40,
}


def checkpoint_of(case: Case, folder):
    """The case as the original leaves it: every variable with its two slots, and the step."""
    variables = dict(case.arrays["weights"])
    slots = {
        f"{name}/{slot}": np.ones_like(value) for name, value in variables.items() for slot in ("adam_m", "adam_v")
    }
    write_bundle(folder / "model.ckpt-30", variables | slots | {"global_step": np.array(30)})
    return folder


@pytest.mark.parametrize("name", CASES)
def test_a_checkpoint_of_the_original_becomes_its_networks(name, tmp_path):
    case = Case(name)
    source = open_source(checkpoint_of(case, tmp_path / "google"), num_attention_heads=4)
    convert(source, tmp_path / "torch", "torch")
    scopes = {"discriminator": "electra", "generator": "generator"}
    for network in source.networks:
        model = getattr(electra, source.networks[network].class_name).from_pretrained(tmp_path / "torch" / network)
        own = (
            scopes[network]
            if any(key.startswith(f"{scopes[network]}/enc") for key in case.arrays["weights"])
            else "electra"
        )
        expected = state_dict(case.arrays["weights"], "electra") | state_dict(case.arrays["weights"], own)
        for key, value in model.state_dict().items():
            if key != "generator_lm_head.weight":
                np.testing.assert_array_equal(value.numpy(), expected[key], err_msg=key)
    expected_networks = {
        "bert_mlm": {"generator"},
        "uniform_generator": {"discriminator"},
        "two_towers": {"discriminator"},
    }
    assert set(source.networks) == expected_networks.get(name, {"discriminator", "generator"})
    assert bool(source.left_out) == (name == "two_towers")


@pytest.mark.parametrize(
    "name", ["small_projected", "base_equal", "untied_embeddings", "bert_mlm", "uniform_generator"]
)
def test_written_back_the_variables_are_those_of_the_original(name, tmp_path):
    case = Case(name)
    convert(open_source(checkpoint_of(case, tmp_path / "google"), num_attention_heads=4), tmp_path / "torch", "torch")
    convert(open_source(tmp_path / "torch"), tmp_path / "back", "google")
    written = Bundle(tmp_path / "back" / GOOGLE_NAME)
    assert set(written) == {*case.arrays["weights"], "global_step"}
    for key, value in case.arrays["weights"].items():
        assert written[key].tobytes() == np.ascontiguousarray(value).tobytes(), key


def pair(embedding_size):
    torch.manual_seed(0)
    config = ElectraConfig(**TINY, embedding_size=embedding_size)
    discriminator = electra.ElectraForPreTraining(config)
    generator = electra.ElectraForMaskedLM(config.generator(0.5))
    share_embeddings(generator, discriminator)
    return {"discriminator": discriminator, "generator": generator}


@pytest.mark.parametrize("head", [head for head in HEADS if head.name != "encoder"], ids=lambda head: head.name)
@pytest.mark.parametrize("changes", [{}, {"tie_word_embeddings": False}], ids=["tied", "untied"])
def test_a_model_with_any_head_goes_through_every_framework_and_back(head, changes, tmp_path):
    torch.manual_seed(0)
    config = ElectraConfig(**TINY, embedding_size=16, is_decoder=head.name == "causal_lm", **changes)
    model = getattr(electra, head.class_name)(config)
    model.save_pretrained(tmp_path / "0")
    for step, to in enumerate(["tf", "flax", "safetensors"]):
        (line,) = convert(open_source(tmp_path / str(step)), tmp_path / str(step + 1), to)
        assert f"{head.class_name}, " in line
        assert line.endswith("equal bit for bit when read back")
    again = getattr(electra, head.class_name).from_pretrained(tmp_path / "3")
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in again.state_dict().items())


@pytest.mark.parametrize("size", ["small", "small++", "base", "large"])
def test_every_variable_of_a_released_size_has_its_tensor(size):
    config = ElectraConfig.of_size(size)
    networks = {"electra": (config, "pretraining"), "generator": (config.generator(), "masked_lm")}
    names = {
        google_name(name, scope): shape
        for scope, (sizes, part) in networks.items()
        for name, shape in (tensors(sizes) | tensors(sizes, part)).items()
        if name != "generator_lm_head.weight"
    }
    slots = {f"{name}/adam_v" for name in names} | {"global_step", "generator_predictions/temperature"}
    assert len(names) == {"small": 402, "small++": 402, "base": 400, "large": 784}[size]
    found = find_networks(dict.fromkeys(names) | dict.fromkeys(slots))
    assert found.others == []
    for (network, variables), (sizes, part) in zip(found.variables.items(), networks.values(), strict=True):
        expected = tensors(sizes) | tensors(sizes, part)
        assert set(variables) == set(expected) - {"generator_lm_head.weight"}, network
        assert vars(infer_config({name: expected[name] for name in variables})) | {"architectures": None} == vars(sizes)


def test_two_generators_that_are_no_pair_are_refused(tmp_path):
    models = pair(32)
    models["generator"] = electra.ElectraForMaskedLM(models["generator"].config)
    for name, model in models.items():
        model.save_pretrained(tmp_path / "pair" / name)
    with pytest.raises(WeightsError, match=r"different embeddings.* Are the two from one run"):
        convert(open_source(tmp_path / "pair"), tmp_path / "google", "google")
    assert not (tmp_path / "google").exists()


def test_a_head_the_original_lacks_is_refused(tmp_path):
    electra.ElectraForTokenClassification(ElectraConfig(**TINY)).save_pretrained(tmp_path / "tags")
    with pytest.raises(WeightsError, match="ElectraForTokenClassification has a head for which"):
        convert(open_source(tmp_path / "tags"), tmp_path / "google", "google")


def test_a_pruned_model_is_converted_but_not_to_google_s_format(tmp_path):
    model = electra.ElectraForPreTraining(ElectraConfig(**TINY))
    model.prune_heads({0: [1]})
    model.save_pretrained(tmp_path / "pruned")
    convert(open_source(tmp_path / "pruned"), tmp_path / "h5", "tf")
    convert(open_source(tmp_path / "h5"), tmp_path / "again", "torch")
    again = electra.ElectraForPreTraining.from_pretrained(tmp_path / "again")
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in again.state_dict().items())
    with pytest.raises(WeightsError, match="pruned"):
        convert(open_source(tmp_path / "pruned"), tmp_path / "google", "google")


def test_a_target_that_exists_is_replaced_only_where_asked(tmp_path):
    pair(16)["generator"].save_pretrained(tmp_path / "model")
    (tmp_path / "there").mkdir()
    (tmp_path / "there/thesis.doc").write_text("precious")
    with pytest.raises(UsageError, match="exists; name another folder, or pass --overwrite"):
        convert(open_source(tmp_path / "model"), tmp_path / "there", "tf")
    convert(open_source(tmp_path / "model"), tmp_path / "there", "tf", overwrite=True)
    assert {path.name for path in (tmp_path / "there").iterdir()} == {"config.json", "tf_model.h5", "manifest.json"}


def test_what_is_no_checkpoint_is_told_with_what_would_be_one(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(WeightsError, match=r"no checkpoint: expected a folder with config.json .*; found notes.txt"):
        open_source(tmp_path)
    write_bundle(tmp_path / "bert", {"bert/embeddings/word_embeddings": np.zeros((3, 2), np.float32)})
    with pytest.raises(WeightsError, match=r"none of an ELECTRA.* begins with bert/embeddings/word_embeddings"):
        open_source(tmp_path / "bert")


def test_a_configuration_of_another_model_is_explained(tmp_path):
    pair(16)["discriminator"].save_pretrained(tmp_path / "model")
    ElectraConfig(**(TINY | {"vocab_size": 100}), embedding_size=16).save_pretrained(tmp_path / "other")
    with pytest.raises(WeightsError, match=r"another vocabulary, vocab_size 99 in the file, 100"):
        open_source(tmp_path / "model", tmp_path / "other/config.json")


def rewrite(folder, change):
    """Change the tensors of a folder's model.safetensors."""
    held = load_file(folder / "model.safetensors")
    save_file(change(held), folder / "model.safetensors", {"format": "pt"})


def test_tensors_of_unknown_names_are_left_out_and_told(tmp_path):
    model = pair(16)["discriminator"]
    model.save_pretrained(tmp_path / "model")
    strange = {f"electra.encoder.layer.{i}.output.dense.bias/adam_m": torch.ones(3) for i in range(2)}
    rewrite(tmp_path / "model", lambda held: held | strange | {"electra.embeddings.position_ids": torch.arange(40)})
    source = open_source(tmp_path / "model")
    assert source.networks["discriminator"].left_out == list(strange)
    convert(source, tmp_path / "new", "torch")
    assert set(load_file(tmp_path / "new/model.safetensors")) == set(model.state_dict())


def test_what_wraps_a_model_is_taken_off(tmp_path):
    model = pair(16)["generator"]
    model.save_pretrained(tmp_path / "model")
    rewrite(tmp_path / "model", lambda held: {f"module._orig_mod.{name}": value for name, value in held.items()})
    with pytest.raises(
        WeightsError, match=r"begin with module\._orig_mod\., .*\n.*electra convert FOLDER NEW takes it away"
    ):
        electra.ElectraForMaskedLM.from_pretrained(tmp_path / "model")
    convert(open_source(tmp_path / "model"), tmp_path / "new", "torch")
    again = electra.ElectraForMaskedLM.from_pretrained(tmp_path / "new")
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in again.state_dict().items())


def test_a_discriminator_is_not_made_a_generator(tmp_path):
    pair(16)["discriminator"].save_pretrained(tmp_path / "model")
    ElectraConfig(**TINY, embedding_size=16, architectures=["ElectraForMaskedLM"]).save_pretrained(tmp_path / "other")
    with pytest.raises(WeightsError, match="a discriminator where a generator is expected"):
        open_source(tmp_path / "model", tmp_path / "other/config.json")


@pytest.mark.fault(5)
@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("is_zip", [False, True], ids=["of old torch", "of new torch"])
def test_a_pickle_is_converted_only_where_asked(sharded, is_zip, tmp_path):
    model = pair(16)["generator"].to(torch.float16)
    model.save_pretrained(tmp_path / "model")
    state = model.state_dict()
    (tmp_path / "model/model.safetensors").unlink()
    parts = [dict(list(state.items())[:9]), dict(list(state.items())[9:])] if sharded else [state]
    names = [f"pytorch_model-0000{i}-of-00002.bin" for i in (1, 2)] if sharded else ["pytorch_model.bin"]
    for name, part in zip(names, parts, strict=True):
        torch.save(part, tmp_path / "model" / name, _use_new_zipfile_serialization=is_zip)
    if sharded:
        places = {key: name for name, part in zip(names, parts, strict=True) for key in part}
        (tmp_path / "model/pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}))
    for read in (open_source, electra.ElectraForMaskedLM.from_pretrained):
        with pytest.raises(WeightsError, match=r"a pickle, which can carry code.* --allow-pickle-weights"):
            read(tmp_path / "model")
    convert(open_source(tmp_path / "model", allow_pickle_weights=True), tmp_path / "new", "torch")
    again = electra.ElectraForMaskedLM.from_pretrained(tmp_path / "new", dtype="auto")
    assert all(torch.equal(value, state[name]) for name, value in again.state_dict().items())


class Attack:
    """Unpickled by a careless reader, this would run `print`."""

    def __reduce__(self):
        return print, ("ran",)


@pytest.mark.fault(5)
@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"weight": Attack()}, "pytorch_model.bin was refused by the weights-only loader"),
        (
            {"model": {"a": torch.ones(1)}, "step": 3},
            r"holds model, step, which are no tensors; expected a model's state",
        ),
        ([torch.ones(1)], "holds list, which are no tensors"),
    ],
)
def test_a_pickle_of_anything_else_is_refused_and_not_run(held, said, tmp_path, capsys):
    torch.save(held, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=said):
        open_source(tmp_path, allow_pickle_weights=True)
    assert "ran" not in capsys.readouterr().out


def test_of_several_formats_one_is_taken_and_told(tmp_path):
    model = pair(16)["generator"]
    model.save_pretrained(tmp_path / "model", formats=["safetensors", "msgpack"])
    torch.save({}, tmp_path / "model/pytorch_model.bin")
    (note,) = open_source(tmp_path / "model").notes
    assert note == (
        "model has its weights more than once: took model.safetensors, passed over flax_model.msgpack, pytorch_model.bin"
    )


def unfinished_run(folder):
    """A run with the checkpoints of steps 10, 20 and 30, of which the last is damaged."""
    for step in (10, 20, 30):
        with write_folder_atomically(folder / f"checkpoints/step-{step:08d}") as stage:
            for name, model in pair(16).items():
                model.save_pretrained(stage / name)
    (folder / "checkpoints/step-00000030/generator/model.safetensors").unlink()
    return folder


def test_a_run_that_is_not_finished_gives_its_newest_whole_checkpoint(tmp_path):
    run = unfinished_run(tmp_path / "run")
    source = open_source(run)
    assert set(source.networks) == {"discriminator", "generator"}
    assert source.folder == run / "checkpoints/step-00000020/discriminator"
    assert "passed over step-00000030" in source.notes[0]
    assert source.notes[1].startswith("checkpoints/step-00000020 is the newest whole checkpoint of this run")
    assert open_source(run / "checkpoints/step-00000010").folder == run / "checkpoints/step-00000010/discriminator"
    assert open_source(run / "checkpoints").folder == source.folder


@pytest.mark.parametrize(
    "class_name", ["ElectraForPreTraining", "TFElectraForMaskedLM", "FlaxElectraModel", "ElectraConfig"]
)
def test_a_run_is_not_loaded_as_one_model_but_its_networks_are_named(class_name, tmp_path):
    run = unfinished_run(tmp_path / "run")
    load = getattr(electra, class_name).from_pretrained
    said = r"networks of a pretraining in it: load .*00000030/discriminator \(ElectraForPreTraining, the discriminator\) or"
    with pytest.raises(WeightsError, match=said):
        load(run)
    with pytest.raises(WeightsError, match=r"step-00000010/generator \(ElectraForMaskedLM, the generator\)"):
        load(run / "checkpoints/step-00000010")


ROLES = [
    ("discriminator", "ForMaskedLM", "predicted tokens", "generator"),
    ("generator", "ForPreTraining", "judgements of what was replaced", "discriminator"),
]


@pytest.mark.parametrize("prefix", ["", "TF", "Flax"])
@pytest.mark.parametrize(("held", "head", "answers", "wanted"), ROLES)
def test_the_other_network_of_a_pair_loads_with_words_on_what_is_random(prefix, held, head, answers, wanted, tmp_path):
    models = pair(16)
    for name in models:
        models[name].save_pretrained(tmp_path / name)
    kind = getattr(electra, f"{prefix}Electra{head}")
    said = rf"This is a {held}: until then its {answers} are noise\. For {answers} load {tmp_path / wanted}, in which"
    with pytest.warns(NewWeightsWarning, match=said) as warned:
        _, info = kind.from_pretrained(tmp_path / held, output_loading_info=True)
    assert len(warned) == 1
    assert info["missing_keys"]
    assert all(name in str(warned[0].message) for name in info["missing_keys"])
    (tmp_path / wanted).rename(tmp_path / "away")
    with pytest.warns(NewWeightsWarning, match=rf"load the {wanted}'s folder, in which that head is trained \(Electra"):
        kind.from_pretrained(tmp_path / held)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"electra/embeddings/LayerNorm/gamma/adam_m": 2}, "only an optimizer's memory"),
        ({"model/generator/electra/embeddings/LayerNorm/gamma/.ATTRIBUTES/VARIABLE_VALUE": 2}, "NVIDIA's ELECTRA"),
        ({"roberta/embeddings/LayerNorm/gamma": 2}, "another kind of model: RoBERTa"),
    ],
)
def test_a_checkpoint_of_tensorflow_s_that_is_no_electra_is_explained(variables, said, tmp_path):
    held = {name: np.zeros(size, np.float32) for name, size in variables.items()}
    write_bundle(tmp_path / "x", held | {"global_step": np.array(3)})
    with pytest.raises(WeightsError, match=said):
        open_source(tmp_path / "x")


def test_the_command_says_what_it_found_and_brings_the_vocabulary(short_run, tmp_path):
    def run(*arguments):
        command = [sys.executable, "-m", "electra", "convert", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = run(short_run, tmp_path / "google", "--to", "google")
    assert done.returncode == 0, done.stderr
    assert "pair of model folders\n  discriminator: " in done.stderr
    heads = ElectraConfig.from_pretrained(short_run / "discriminator").num_attention_heads
    done = run(tmp_path / "google", tmp_path / "torch", "--heads", heads)
    assert done.returncode == 0, done.stderr
    assert "checkpoint of Google's code" in done.stderr
    places = (short_run / "discriminator", tmp_path / "torch/discriminator")
    answers = []
    for place in places:
        inputs = electra.AutoTokenizer.from_pretrained(place)("The old teacher.", return_tensors="pt")
        with torch.no_grad():
            answers.append(electra.ElectraForPreTraining.from_pretrained(place)(**inputs).logits)
    assert torch.equal(*answers)
    assert electra.AutoTokenizer.from_pretrained(tmp_path / "torch/generator").tokenize("old") == ["old"]
    done = run(tmp_path / "nowhere", tmp_path / "x")
    assert done.returncode == 65
    assert "is no checkpoint" in done.stderr


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_the_bytes_are_the_nearest_numbers_and_load_everywhere(dtype, tmp_path):
    for name, model in pair(16).items():
        model.save_pretrained(tmp_path / "pair" / name)
    lines = convert(open_source(tmp_path / "pair"), tmp_path / "half", "torch", dtype=dtype)
    assert all(line.endswith(f"equal bit for bit when read back, in {dtype}") for line in lines)
    for name, kind in (("discriminator", "ElectraForPreTraining"), ("generator", "ElectraForMaskedLM")):
        whole, half = tmp_path / "pair" / name, tmp_path / "half" / name
        assert (half / "model.safetensors").stat().st_size < 0.6 * (whole / "model.safetensors").stat().st_size
        before = getattr(electra, kind).from_pretrained(whole).state_dict()
        for load in (getattr(electra, kind), getattr(transformers, kind)):
            model = load.from_pretrained(half, dtype="auto")
            assert model.dtype == getattr(torch, dtype)
            for key, value in model.state_dict().items():
                if key in before:
                    torch.testing.assert_close(value, before[key].to(value.dtype), atol=0, rtol=0)


def test_numbers_that_float16_cannot_hold_and_halves_of_other_formats_are_refused(tmp_path):
    model = pair(16)["discriminator"]
    with torch.no_grad():
        model.electra.embeddings.LayerNorm.bias[0] = 7e4
    model.save_pretrained(tmp_path / "large")
    with pytest.raises(WeightsError, match=r"LayerNorm\.bias holds 70000, and float16 holds no more than 65504"):
        convert(open_source(tmp_path / "large"), tmp_path / "half", "torch", dtype="float16")
    assert not (tmp_path / "half").exists()
    with pytest.raises(UsageError, match="cannot write flax in"):
        convert(open_source(tmp_path / "large"), tmp_path / "half", "flax", dtype="bfloat16")


def test_rounding_to_bfloat16_is_that_of_pytorch():
    numbers = np.random.default_rng(0).integers(0, 1 << 32, 100_000, np.uint32).view(np.float32)
    found = widen(to_bfloat16(numbers))
    np.testing.assert_array_equal(found, torch.from_numpy(numbers).to(torch.bfloat16).float().numpy())
