"""Words that don't belong: scores are the discriminator's, places the text's, suggestions of both networks."""

import numpy as np
import pytest
import torch

import electra
from electra import ElectraForMaskedLM, ElectraForPreTraining
from electra.errors import DataError, InputError, UsageError, WeightsError
from electra.inference.detection import like
from electra.tasks.windows import best_windows, cut

TEXT = "The old river  painted THE kitchenette\tduring the storm."


@pytest.fixture(scope="module")
def detector(short_run):
    return electra.load(short_run, engine="float32")


@pytest.fixture(scope="module")
def discriminator(short_run):
    return ElectraForPreTraining.from_pretrained(short_run / "discriminator")


@pytest.fixture(scope="module")
def generator(short_run):
    return ElectraForMaskedLM.from_pretrained(short_run / "generator")


def words(detector, text):
    return detector.predict([{"text": text}])[0]["words"]


@torch.no_grad()
def logits_of(discriminator, detector, ids):
    """Of each piece of a row that fits."""
    row = torch.tensor(detector.network.row(ids)[None].astype(np.int64))
    return discriminator(row).logits[0, 1:-1].numpy()


def test_a_word_s_score_is_the_mean_of_its_pieces_probabilities(detector, discriminator):
    encoded = detector.network.tokenizer(TEXT, add_special_tokens=False)
    shares = 1 / (1 + np.exp(-logits_of(discriminator, detector, encoded["input_ids"])))
    numbers = np.array(encoded.word_ids())
    expected = [shares[numbers == number].mean() for number in range(numbers.max() + 1)]
    assert max(np.bincount(numbers)) > 1
    np.testing.assert_allclose([word["score"] for word in words(detector, TEXT)], expected, rtol=1e-5)


def test_places_are_those_of_the_text(detector):
    found = words(detector, TEXT)
    assert [word["text"] for word in found] == TEXT.replace(".", " .").split()
    assert all(TEXT[word["start"] : word["end"]] == word["text"] for word in found)


def test_texts_are_answered_together_as_they_are_alone_and_in_order(detector):
    texts = [TEXT, "", "The teacher found the garden.", "word " * 60, " \t"]
    together = detector.predict([{"text": text} for text in texts])
    assert [answer["text"] for answer in together] == texts
    assert together[1]["words"] == together[4]["words"] == []
    for text, answer in zip(texts, together, strict=True):
        alone = words(detector, text)
        np.testing.assert_allclose([w["score"] for w in answer["words"]], [w["score"] for w in alone], atol=1e-6)


def test_rows_are_as_long_as_those_of_pretraining(detector, short_run):
    assert (detector.max_length, detector.generator.max_length) == (32, 32)
    assert electra.load(short_run / "discriminator").max_length == 32
    assert max(len(folder.name) for folder in (short_run / "checkpoints").iterdir()) > 0
    assert electra.load(max((short_run / "checkpoints").iterdir()) / "discriminator").max_length == 32


def test_a_long_text_is_read_in_windows_and_a_piece_answered_where_it_has_most_around_it(detector, discriminator):
    text = "The quiet doctor described the heavy machine during the evening. " * 12
    ids = detector.network.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(ids) > 3 * detector.max_length
    windows = cut(len(ids), room=30, stride=15)
    answers = [logits_of(discriminator, detector, ids[begin : begin + length]) for begin, length in windows]
    best = best_windows(len(ids), windows)
    expected = [answers[number][place - windows[number][0]] for place, number in enumerate(best)]
    (found,) = detector.logits([detector.network.pieces(text)])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert "".join(word["text"] for word in words(detector, text)) == text.replace(" ", "")


def test_special_tokens_in_a_text_are_text(detector):
    assert [word["text"] for word in words(detector, "A [SEP] b")] == ["A", "[", "SEP", "]", "b"]


# -- suggestions --------------------------------------------------------------------------------------------------------


def test_words_of_one_piece_are_ranked_by_both_networks(detector, discriminator, generator):
    start = TEXT.index("river")
    found = detector.suggest(TEXT, start, start + 5, 100)
    ids, mask = detector.network.tokenizer(TEXT, add_special_tokens=False)["input_ids"], detector.generator.mask_id
    with torch.no_grad():
        row = torch.tensor(detector.network.row([*ids[:2], mask, *ids[3:]])[None].astype(np.int64))
        shares = torch.softmax(generator(row).logits[0, 3], -1)
    singles = [(word, detector.network.tokenizer.convert_tokens_to_ids(word["text"])) for word in found]
    singles = [(word, piece) for word, piece in singles if piece != detector.network.tokenizer.unk_token_id]
    assert len(singles) > 10
    ranks = []
    for word, piece in singles:
        logit = logits_of(discriminator, detector, [*ids[:2], piece, *ids[3:]])[2]
        assert word["generator"] == pytest.approx(shares[piece].item(), rel=1e-4)
        assert word["score"] == pytest.approx(1 / (1 + np.exp(-logit)), rel=1e-4)
        ranks.append(np.log(shares[piece].item()) - logit)
    assert ranks == sorted(ranks, reverse=True)
    assert "river" not in [word["text"] for word in found]
    assert detector.suggest(TEXT, start, start + 5, 3) == found[:3]


def test_words_of_several_pieces_are_those_the_tokenizer_would_cut(detector):
    start = TEXT.index("river")
    texts = [word["text"] for word in detector.suggest(TEXT, start, start + 5, 100)]
    pieces = [detector.network.tokenizer.tokenize(text) for text in texts]
    assert max(map(len, pieces)) > 1
    assert not any("#" in text or "[" in text for text in texts)
    assert len(set(texts)) == len(texts)


def test_a_suggestion_s_score_is_what_the_changed_text_is_judged_with(detector):
    start = TEXT.index("kitchenette")
    for word in detector.suggest(TEXT, start, start + 11, 5):
        changed = TEXT[:start] + word["text"] + TEXT[start + 11 :]
        again = next(other for other in words(detector, changed) if other["start"] == start)
        assert again["text"] == word["text"]
        assert again["score"] == pytest.approx(word["score"], rel=1e-4)


def test_the_place_of_a_long_text_is_seen_in_a_window_around_it(detector):
    sentence = "The quiet doctor described the heavy machine during the evening. "
    place, size = sentence.index("machine"), len(sentence)
    long, near = sentence * 12, sentence * 3
    assert len(detector.network.pieces(near).ids) > detector.max_length
    found = detector.suggest(long, 6 * size + place, 6 * size + place + 7, 4)
    assert found == detector.suggest(near, size + place, size + place + 7, 4)


def test_all_words_that_a_place_touches_are_replaced_by_one(detector):
    text = "The old river followed."
    assert detector.suggest(text, 5, 9, 5) == detector.suggest(text, 4, 13, 5)
    assert detector.suggest(text, 5, 9, 5) != detector.suggest(text, 4, 7, 5)


def test_a_mark_is_replaced_by_marks_and_a_word_by_words(detector):
    marks = [word["text"] for word in detector.suggest("The river.", 9, 10)]
    assert not any(map(str.isalnum, "".join(marks)))
    assert all(word["text"].isalnum() for word in detector.suggest("The river.", 4, 9))


@pytest.mark.parametrize(("model", "expected"), [("Garden", "River"), ("GARDEN", "RIVER"), ("garden", "river"),
                                                 ("A", "River"), ("1890", "river"), ("iPhone", "river")])  # fmt: skip
def test_capitals_follow_the_word_that_is_replaced(model, expected):
    assert like(model, "river") == expected


def test_suggestions_have_the_capitals_of_their_place(detector):
    assert all(word["text"][0].isupper() for word in detector.suggest("The River.", 4, 9) if word["text"].isalpha())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("The river.", 3, 4), InputError, "no word stands at characters 3 to 4 of a text of 10 characters"),
        (("The river.", 40, 50), InputError, "no word stands"),
        (("The river.", 4, 9, 0), DataError, '"count" is 0, expected a whole number from 1 to 100'),
    ],
)
def test_a_wrong_place_is_refused(detector, arguments, error, message):
    with pytest.raises(error, match=message):
        detector.suggest(*arguments)


def test_a_discriminator_alone_suggests_nothing(short_run):
    alone = electra.load(short_run / "discriminator", engine="float32")
    assert alone.generator is None
    with pytest.raises(UsageError, match="need a generator"):
        alone.suggest("The river.", 4, 9)


@pytest.mark.parametrize(("values", "message"), [({}, 'input 2: found nothing and no "text"'),
                                                 ({"text": 3}, 'input 2: found int as "text", expected text')])  # fmt: skip
def test_an_input_without_text_is_named(detector, values, message):
    with pytest.raises(DataError, match=message):
        detector.predict([{"text": "The river."}, values])


def test_networks_of_different_vocabularies_are_no_pair(short_run, tmp_path):
    from shutil import copytree

    copytree(short_run / "discriminator", tmp_path / "discriminator")
    copytree(short_run / "generator", tmp_path / "generator")
    for file in tmp_path.glob("generator/*"):
        text = file.read_bytes()
        file.write_bytes(text if file.suffix == ".safetensors" else text.replace(b"river", b"rivar"))
    with pytest.raises(UsageError, match="different vocabularies"):
        electra.load(tmp_path)


def test_a_discriminator_without_its_head_is_refused(short_run, tmp_path):
    from shutil import copytree

    copytree(short_run / "generator", tmp_path / "discriminator")
    with pytest.raises(WeightsError, match="discriminator_predictions"):
        electra.load(tmp_path)
