"""One object for every head: each kind answers as its own command does, and folders that cannot answer say why."""

from shutil import copytree

import numpy as np
import pytest
import torch
from small_tuning import MAKERS, model_folder

import electra
from electra import ElectraForMaskedLM, ElectraForSequenceClassification
from electra.errors import DataError, UsageError
from electra.inference import compiled
from electra.inference.predictor import Predictor

TEXT = "The old river followed the garden."
INPUTS = {
    "classification": {"text": TEXT},
    "multi-label": {"text": TEXT, "pair": "The window."},
    "regression": {"text": TEXT},
    "tagging": {"text": TEXT},
    "choice": {"prompt": TEXT, "choices": ["It was green.", "It was old."]},
    "answering": {"question": "How?", "context": TEXT},
}


@pytest.fixture(scope="module")
def generator(short_run):
    return electra.load(short_run / "generator", engine="float32")


@pytest.mark.parametrize("kind", MAKERS)
def test_a_tuned_model_answers_as_electra_predict_does(kind, tokenizer, tmp_path):
    import json

    folder = model_folder(kind, tokenizer, tmp_path / "model")
    model = electra.load(tmp_path, engine="float32")
    predictor = Predictor(folder)
    assert (model.kind, model.max_length) == (kind, 48)
    assert model.labels == (predictor.purpose.labels if kind in ("classification", "multi-label", "tagging") else None)
    lines = [json.dumps(INPUTS[kind])] * 2
    assert model.predict([INPUTS[kind]] * 2) == list(predictor.predict_lines(lines, nbest=3))
    assert model.predict([]) == []
    with pytest.raises(DataError, match=r"^input 2: "):
        model.predict([INPUTS[kind], {"nothing": 1}])


@pytest.mark.parametrize("kind", ["classification", "choice"])
def test_a_text_that_was_cut_says_how_much_the_model_was_not_shown(kind, tokenizer, tmp_path):
    model_folder(kind, tokenizer, tmp_path)
    model = electra.load(tmp_path, engine="float32")
    long = {name: TEXT * 20 if isinstance(value, str) else value for name, value in INPUTS[kind].items()}
    short_answer, answer = model.predict([INPUTS[kind], long])
    pieces = len(tokenizer.tokenize(TEXT * 20))
    after = max((len(tokenizer.tokenize(choice)) + 1 for choice in long.get("choices", ())), default=0)
    assert answer["unread_pieces"] == pieces + after - (model.max_length - 2)
    assert "unread_pieces" not in short_answer


def test_in_windows_all_of_a_long_text_is_read_and_the_logits_are_averaged(tokenizer, tmp_path):
    folder = model_folder("classification", tokenizer, tmp_path)
    words = (f"{TEXT} The window. " * 9).split()
    room = 48 - 2
    model, cut = electra.load(folder, engine="float32", windows=0), electra.load(folder, engine="float32")
    short, (answer,) = " ".join(words[:10]), model.predict([{"text": " ".join(words)}])
    assert "unread_pieces" not in answer
    assert model.predict([{"text": short}]) == cut.predict([{"text": short}])
    ids = tokenizer(" ".join(words), add_special_tokens=False)["input_ids"]
    network = ElectraForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        logits = [
            network(torch.tensor([[tokenizer.cls_token_id, *ids[at : at + room], tokenizer.sep_token_id]])).logits[0]
            for at in range(0, len(ids), room)
        ]
    expected = torch.softmax(torch.stack(logits).mean(0), -1)
    np.testing.assert_allclose(list(answer["probabilities"].values()), expected, atol=1e-5)


def test_windows_of_choices_are_refused(tokenizer, tmp_path):
    model_folder("choice", tokenizer, tmp_path)
    with pytest.raises(UsageError, match="windows is set for a model of kind choice"):
        electra.load(tmp_path, windows=8)


@pytest.mark.parametrize("engine", ["bfloat16", "plain"])
def test_a_pretraining_answers_by_the_engine_asked_for(engine, short_run):
    if engine not in (*compiled.kinds(), "plain"):
        with pytest.raises(UsageError, match="bfloat16 of a pretrained model is computed by our own C alone"):
            electra.load(short_run, engine=engine)
        return
    (exact,), (found,) = (electra.load(short_run, engine=one).predict([{"text": TEXT}]) for one in ("float32", engine))
    scores, expected = ([word["score"] for word in answer["words"]] for answer in (found, exact))
    np.testing.assert_allclose(scores, expected, atol=0.01 if engine == "bfloat16" else 1e-5)
    with pytest.raises(UsageError, match=r'there is no engine "bfloat" .did you mean "bfloat16"'):
        electra.load(short_run, engine="bfloat")


def test_masks_are_answered_with_the_generator_s_probabilities(generator, short_run):
    text = "The [MASK] river followed the [MASK]."
    (answer,) = generator.predict([{"text": text, "count": 3}])
    assert [text[mask["start"] : mask["end"]] for mask in answer["masks"]] == ["[MASK]", "[MASK]"]
    ids = torch.tensor([generator.network.tokenizer(text)["input_ids"]])
    places = (ids[0] == generator.mask_id).nonzero()[:, 0]
    with torch.no_grad():
        shares = torch.softmax(ElectraForMaskedLM.from_pretrained(short_run / "generator")(ids).logits[0, places], -1)
    for mask, of_place in zip(answer["masks"], shares, strict=True):
        best = of_place.topk(20)
        expected = {
            generator.pieces[i]: share
            for i, share in zip(best.indices.tolist(), best.values.tolist(), strict=True)
            if generator.pieces[i] not in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
        }
        assert [found["text"] for found in mask["candidates"]] == list(expected)[:3]
        np.testing.assert_allclose([found["score"] for found in mask["candidates"]], list(expected.values())[:3], 1e-4)


def test_a_mask_in_a_long_text_is_seen_in_a_window_around_it(generator):
    long = "The quiet doctor described the heavy machine during the evening. " * 8
    text = f"{long}The [MASK] river followed the garden. {long}"
    (answer,) = generator.predict([{"text": text}])
    assert answer["masks"][0]["start"] == text.index("[MASK]")
    (short,) = generator.predict([{"text": text[len(long) - 120 : len(long) + 160]}])
    assert answer["masks"][0]["candidates"] == short["masks"][0]["candidates"]


def test_a_text_without_a_mask_is_refused(generator):
    assert (generator.kind, generator.labels) == ("filling", None)
    with pytest.raises(DataError, match=r"input 2: the text has no \[MASK\]; write \[MASK\] where"):
        generator.predict([{"text": "A [MASK]"}, {"text": "The river [SEP]."}])


def test_a_run_that_is_not_finished_answers_from_its_newest_checkpoint(short_run, tmp_path):
    copytree(short_run / "checkpoints", tmp_path / "checkpoints")
    model = electra.load(tmp_path, engine="float32")
    assert (model.kind, model.generator.kind) == ("detection", "filling")
    finished = electra.load(short_run, engine="float32")
    found, expected = ([w["score"] for w in m.predict([{"text": TEXT}])[0]["words"]] for m in (model, finished))
    assert found == expected


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "has no config.json; expected a model folder, or the folder of a run"),
        (
            lambda folder: ElectraForSequenceClassification(electra.ElectraConfig.tiny()).save_pretrained(folder),
            r"holds ElectraForSequenceClassification, expected .* task\.json",
        ),
    ],
)
def test_a_folder_that_cannot_answer_says_what_it_holds(make, message, tmp_path):
    make(tmp_path)
    with pytest.raises(DataError, match=message):
        electra.load(tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        electra.load(tmp_path / "nowhere")
