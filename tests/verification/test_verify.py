"""electra verify: each kind of damage, disagreement and upgrade gets its own words, and a whole folder gets none."""

import hashlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from damage import flip_bit

import electra
from electra.cli import main
from electra.heads import HEADS
from electra.verification.checks import CHANGED, OK, UNKNOWN, WRONG, verify
from electra.verification.record import TEXTS, read_record, seal
from electra.verification.sample import TOLERANCE, Sample, take_sample
from electra.weights.files import read_tensors, write_tensors
from electra.weights.folders import METADATA

MODEL = dict(hidden_size=16, embedding_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
NAMES = ["files", "tensors", "values", "vocabulary", "tokenizers", "tokenizations", "logits"]


def make_model(folder, tokenizer, head="ElectraForPreTraining", **changes):
    torch.manual_seed(1)
    config = electra.ElectraConfig(vocab_size=len(tokenizer), max_position_embeddings=40, **(MODEL | changes))
    getattr(electra, head)(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def sealed(tokenizer, tmp_path_factory):
    """A model folder on record."""
    folder = make_model(tmp_path_factory.mktemp("sealed") / "model", tokenizer)
    assert seal(folder) == []
    return folder


@pytest.fixture
def folder(sealed, tmp_path):
    """A copy of it, to damage."""
    return shutil.copytree(sealed, tmp_path / "model")


def answers(folder):
    """Name -> (answer, words) of every check."""
    return {check.name: (check.answer, check.words) for check in verify(folder)}


def edit(path, change):
    """Change the object in a JSON file."""
    held = json.loads(path.read_text(encoding="utf-8"))
    change(held)
    path.write_text(json.dumps(held), encoding="utf-8")


def test_a_folder_as_it_was_recorded_is_ok_in_every_check(sealed, capsys):
    assert {name: answer for name, (answer, _) in answers(sealed).items()} == dict.fromkeys(NAMES, OK)
    assert main(["verify", str(sealed)]) == 0
    assert "all 7 checks are ok" in capsys.readouterr().err


def test_a_manifest_holds_files_tensors_tokenizations_a_sample_and_versions(sealed, tokenizer):
    manifest = json.loads((sealed / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["files"]) == {path.name for path in sealed.iterdir()} - {"manifest.json"}
    word_table = manifest["tensors"]["electra.embeddings.word_embeddings.weight"]
    assert word_table == {"dtype": "F32", "shape": [len(tokenizer), 8]}
    assert manifest["tokenizations"][0] == {"text": TEXTS[0], "ids": tokenizer(TEXTS[0])["input_ids"]}
    model = electra.ElectraForPreTraining.from_pretrained(sealed)
    with torch.no_grad():
        logits = model(torch.tensor(manifest["sample"]["input_ids"])).logits.ravel()
    np.testing.assert_allclose(manifest["sample"]["logits"], logits, rtol=1e-5)
    assert manifest["made_with"].keys() == {"electra", "python", "numpy", "tokenizers", "torch"}


# -- files and weights ------------------------------------------------------------------------------------------------


@pytest.mark.fault(4)
def test_a_flipped_byte_is_found(folder):
    path = folder / "model.safetensors"
    before = path.read_bytes()
    flip_bit(path)
    recorded, found = (hashlib.sha256(content).hexdigest()[:12] for content in (before, path.read_bytes()))
    assert answers(folder)["files"] == (
        CHANGED,
        f"model.safetensors has other content than was written (sha256 {found}..., expected {recorded}...)",
    )


@pytest.mark.fault(17)
@pytest.mark.parametrize(
    "damage",
    [
        lambda manifest: next(iter(manifest["tensors"].values())).pop("dtype"),
        lambda manifest: next(iter(manifest["tensors"].values())).pop("shape"),
        lambda manifest: manifest["sample"]["input_ids"][0].append("x"),
        lambda manifest: manifest["sample"]["logits"].append("x"),
    ],
)
def test_a_manifest_that_nobody_wrote_so_is_wrong(folder, damage):
    edit(folder / "manifest.json", damage)
    answer, words = answers(folder)["files"]
    assert answer == WRONG
    assert "manifest.json is not as it was written" in words


@pytest.mark.parametrize("name", ["config.json", "vocab.txt", "model.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    assert answers(folder)["files"] == (CHANGED, f"{name} is missing")


def test_a_file_that_changes_the_model_by_appearing_is_named_and_others_are_not(folder):
    (folder / "added_tokens.json").write_text("{}")
    (folder / "notes.txt").write_text("mine")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "config.json").write_text("{}")
    assert answers(folder)["files"] == (CHANGED, "added_tokens.json is new")


def test_a_file_cut_short_is_wrong_and_its_logits_cannot_be_said(folder):
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[:-100])
    found = answers(folder)
    assert found["tensors"][0] == WRONG
    assert "is not a whole safetensors file" in found["tensors"][1]
    assert found["values"][0] == found["logits"][0] == UNKNOWN


@pytest.mark.fault(11)
def test_numbers_that_are_not_finite_are_named_by_their_tensor(folder):
    tensors = {name: np.array(array) for name, array in read_tensors(folder).items()}
    tensors["electra.embeddings_project.bias"][3] = np.nan
    write_tensors(folder / "model.safetensors", tensors, METADATA)
    found = answers(folder)
    assert found["values"][0] == WRONG
    assert "electra.embeddings_project.bias hold numbers that are not finite" in found["values"][1]
    assert found["logits"] == (UNKNOWN, "see tensors and values")


def test_the_config_of_another_model_is_told_with_its_likely_cause(folder):
    edit(folder / "config.json", lambda config: config.update(hidden_size=32))
    answer, words = answers(folder)["tensors"]
    assert answer == WRONG
    assert "electra.embeddings_project.weight" in words
    assert "size" in words.splitlines()[-2]  # the cause
    assert len(words.splitlines()) <= 8


def test_tensors_that_were_replaced_are_named_with_both_shapes(folder, tokenizer):
    make_model(folder, tokenizer, intermediate_size=24)
    answer, words = answers(folder)["tensors"]
    assert answer == CHANGED
    assert "electra.encoder.layer.0.intermediate.dense.bias was F32 (32,), is F32 (24,)" in words


def test_a_pruned_model_has_the_shapes_its_configuration_says(folder):
    model = electra.ElectraForPreTraining.from_pretrained(folder)
    model.prune_heads({0: [1]})
    model.save_pretrained(folder)
    (folder / "manifest.json").unlink()  # of the whole model
    assert answers(folder)["tensors"][0] == OK


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.onnx"])
def test_weights_that_are_not_opened_cannot_be_said(folder, name):
    (folder / "model.safetensors").rename(folder / name)
    answer, words = answers(folder)["tensors"]
    assert answer == UNKNOWN
    assert words.startswith(f"{name} is a p")


# -- vocabulary and tokenizers ----------------------------------------------------------------------------------------


@pytest.mark.fault(30)
def test_a_vocabulary_with_more_tokens_than_the_model_is_wrong(folder):
    with (folder / "vocab.txt").open("a", encoding="utf-8") as file:
        file.write("more\n")
    assert "vocab.txt holds 201 pieces and tokenizer.json 200" in answers(folder)["vocabulary"][1]
    (folder / "tokenizer.json").unlink()
    answer, words = answers(folder)["vocabulary"]
    assert answer == WRONG
    assert "the vocabulary has 201 tokens, but config.json has vocab_size 200" in words


def test_a_vocabulary_in_another_order_gives_other_ids_because_files_changed(folder):
    pieces = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    (folder / "vocab.txt").write_text("\n".join([*pieces[:5], *reversed(pieces[5:])]) + "\n", encoding="utf-8")
    (folder / "tokenizer.json").unlink()
    found = answers(folder)
    assert found["vocabulary"][0] == OK
    assert found["tokenizations"][0] == CHANGED
    assert found["tokenizations"][1].endswith("the files have changed")


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("config.json", {"pad_token_id": 3}, "[PAD] has the id 0, but config.json has pad_token_id 3"),
        ("config.json", {"sep_token_id": 9}, "[SEP] has the id 3, but config.json has sep_token_id 9"),
        (
            "tokenizer_config.json",
            {"model_max_length": 512},
            "model_max_length is 512, but the model has max_position_",
        ),
        (
            "tokenizer_config.json",
            {"mask_token": "<mask>"},
            "the vocabulary has 201 tokens, but config.json has vocab_",
        ),
        ("tokenizer_config.json", {"pad_token": None}, "the tokenizer has no pad_token"),
        (
            "tokenizer_config.json",
            {"do_lower_case": False},
            "do_lower_case is False in tokenizer_config.json, but True",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_parts_that_disagree_are_told_with_both_sides(folder, file, change, words):
    edit(folder / file, lambda held: held.update(change))
    answer, found = answers(folder)["vocabulary"]
    assert answer == WRONG
    assert words in found


@pytest.mark.parametrize("normalizer", [{"type": "NFKC"}, {"type": "Lowercase"}], ids=lambda value: value["type"])
def test_a_tokenizer_json_that_others_read_otherwise_is_wrong(folder, normalizer):
    edit(folder / "tokenizer.json", lambda held: held.update(normalizer=normalizer))
    answer, words = answers(folder)["tokenizers"]
    assert answer == WRONG
    assert words.startswith("the fast tokenizer and tokenizer.json give other ids for ")


@pytest.mark.parametrize(
    "change",
    [
        lambda held: held.update(normalizer={"type": "Nothing"}),
        lambda held: held["post_processor"]["single"][0]["SpecialToken"].update(id="[CLT]"),  # on which it panics
    ],
    ids=["an error", "a panic"],
)
def test_what_the_tokenizers_package_does_not_read_is_told(folder, change):
    edit(folder / "tokenizer.json", change)
    assert answers(folder)["tokenizers"][1].startswith("the tokenizers package does not read tokenizer.json: ")


# -- results ----------------------------------------------------------------------------------------------------------


def imitate_upgrade(folder, package, change):
    """Let the record say that another version of a package gave other results."""

    def as_before(manifest):
        change(manifest)
        manifest["made_with"][package] = "0.0.1"

    edit(folder / "manifest.json", as_before)


def test_other_ids_from_the_same_files_are_laid_to_the_upgrade(folder, capsys):
    imitate_upgrade(folder, "tokenizers", lambda manifest: manifest["tokenizations"][1]["ids"].pop())
    found = answers(folder)
    assert found["files"][0] == OK
    assert found["tokenizations"][0] == CHANGED
    now = electra.verification.sample.versions()["tokenizers"]
    assert "an upgrade changed results; made with tokenizers 0.0.1, now " + now in found["tokenizations"][1]
    assert main(["verify", str(folder)]) == 1
    assert "1 of 7 checks failed" in capsys.readouterr().err


def test_other_logits_from_the_same_files_are_laid_to_the_upgrade(folder):
    def change(manifest):
        manifest["sample"]["logits"][2] += 0.01

    imitate_upgrade(folder, "torch", change)
    answer, words = answers(folder)["logits"]
    assert answer == CHANGED
    assert "16 numbers differ by 1.0e-02 of the largest, 1e-04 is allowed: the files are unchanged" in words
    assert f"made with torch 0.0.1, now {torch.__version__.partition('+')[0]}" in words


def test_other_results_from_the_same_files_and_versions_are_not_laid_to_an_upgrade(folder):
    edit(folder / "manifest.json", lambda manifest: manifest["sample"]["logits"].pop())
    assert "neither files nor versions have changed" in answers(folder)["logits"][1]


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_every_head_has_a_sample_of_at_most_64_numbers(head, tokenizer, tmp_path):
    is_decoder = {"is_decoder": True} if head.name == "causal_lm" else {}
    folder = make_model(tmp_path / "model", tokenizer, head.class_name, **is_decoder)
    assert seal(folder) == []
    assert 1 <= len(read_record(folder).sample.logits) <= 64
    assert answers(folder)["logits"][0] == OK


@pytest.mark.parametrize("framework", ["tf", "flax"])
def test_what_one_framework_recorded_another_answers(sealed, framework):
    recorded = read_record(sealed).sample
    asked = Sample(framework, recorded.input_ids, recorded.logits)
    now = take_sample(sealed, "ElectraForPreTraining", electra.ElectraConfig.from_pretrained(sealed), asked)
    assert now.framework == framework
    assert recorded.difference(now) < TOLERANCE / 10


def test_without_a_framework_all_but_the_logits_is_checked(sealed):
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'tensorflow', 'keras', 'jax', 'flax']));"
        "from electra.verification.checks import verify; from pathlib import Path;"
        "[print(check.answer, check.words, sep=': ') for check in verify(Path(sys.argv[1]))]"
    )
    done = subprocess.run([sys.executable, "-c", program, sealed], capture_output=True, text=True, check=True)
    rows = done.stdout.splitlines()
    assert [row.partition(":")[0] for row in rows] == [OK] * 6 + [UNKNOWN]
    assert "pip install 'electra[torch]'" in rows[-1]


# -- without a manifest, and writing one --------------------------------------------------------------------------------


def test_a_folder_without_a_manifest_is_checked_as_far_as_it_can_be_and_recorded_on_request(folder, capsys):
    (folder / "manifest.json").unlink()
    found = answers(folder)
    assert [name for name in NAMES if found[name][0] == UNKNOWN] == ["files", "tokenizations", "logits"]
    assert all("--write" in found[name][1] for name in ("files", "tokenizations", "logits"))
    assert main(["verify", str(folder)]) == 0
    assert not (folder / "manifest.json").exists()
    assert main(["verify", str(folder), "--write"]) == 0
    assert "all 7 checks are ok" in capsys.readouterr().err


def test_writing_accepts_a_change_that_was_meant(folder, tokenizer):
    make_model(folder, tokenizer, intermediate_size=24)
    assert main(["verify", str(folder)]) == 1
    assert main(["verify", str(folder), "--write"]) == 0
    assert main(["verify", str(folder)]) == 0


def test_broken_weights_are_recorded_as_files_and_stay_wrong(folder, capsys):
    (folder / "model.safetensors").write_bytes(b"broken")
    assert main(["verify", str(folder), "--write"]) == 1
    assert "not recorded: no tensors: " in capsys.readouterr().err
    assert answers(folder)["files"][0] == OK


def test_a_manifest_of_other_makers_is_not_overwritten(folder, capsys):
    (folder / "manifest.json").write_text('{"name": "an app"}')
    assert answers(folder)["files"][0] == WRONG
    assert main(["verify", str(folder), "--write"]) == 65
    assert "is not one of ours, and is left as it is" in capsys.readouterr().err
    assert json.loads((folder / "manifest.json").read_text()) == {"name": "an app"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("files", []),
        ("files", {"config.json": 1}),
        ("tensors", 1),
        ("tensors", {"a": 1}),
        ("tokenizations", [1]),
        ("sample", {"logits": 1}),
        ("made_with", []),
    ],
    ids=str,
)
def test_a_manifest_that_was_edited_amiss_is_told_and_nothing_else_fails(folder, key, value):
    edit(folder / "manifest.json", lambda manifest: manifest.update({key: value}))
    found = answers(folder)
    assert found["files"][0] == WRONG
    assert f"{folder}/manifest.json" in found["files"][1]
    assert found["vocabulary"][0] == OK


# -- runs, pairs, conversions ------------------------------------------------------------------------------------------


def test_a_finished_run_is_on_record_network_by_network(short_run, capsys):
    assert main(["verify", str(short_run)]) == 0
    shown = capsys.readouterr()
    assert f"{short_run / 'discriminator'}\n" in shown.out
    assert f"{short_run / 'generator'}\n" in shown.out
    assert "all 14 checks are ok" in shown.err


def test_a_checkpoint_of_a_run_is_held_against_the_manifest_around_it(short_run, tmp_path):
    (newest,) = (short_run / "checkpoints").glob("step-*10")
    folder = shutil.copytree(newest, tmp_path / "step") / "generator"
    assert answers(folder)["files"][0] == OK
    (folder / "vocab.txt").unlink()
    assert answers(folder)["files"] == (CHANGED, "vocab.txt is missing")


@pytest.mark.parametrize("to", ["torch", "tf", "flax"])
def test_a_conversion_is_on_record_but_for_its_logits(sealed, tmp_path, to):
    assert main(["convert", str(sealed), str(tmp_path / "new"), "--to", to]) == 0
    found = answers(tmp_path / "new")
    assert [name for name in NAMES if found[name][0] == OK] == NAMES[:-1]
    assert found["logits"] == (UNKNOWN, "none are recorded (--write records them)")


@pytest.mark.parametrize(("name", "words"), [("empty", "has no config.json"), ("absent", "is no folder")])
def test_what_is_no_model_is_a_wrong_request(tmp_path, capsys, name, words):
    (tmp_path / "empty").mkdir()
    assert main(["verify", str(tmp_path / name)]) == 2
    assert words in capsys.readouterr().err
