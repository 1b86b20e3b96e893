"""A small vocabulary that can spell every test string, as pieces and as a file; both tokenizers on it."""

import unicodedata

import pytest

from electra.tokenization import ElectraTokenizer, ElectraTokenizerFast

STRINGS = {
    "plain": "A gardener waters the roses every morning.",
    "empty": "",
    "white space": " \t\r\n  ",
    "odd spaces": "thin\u2009space, no\u00a0break, tab\tline\nreturn\rideographic\u3000end",
    "contractions": "don't can't it's we're I'm they've shan't",
    "punctuation": "Wait... what?! (yes) [no] {maybe} a/b c\\d e_f g@h #1 $2 ~3 ^4 `5` <6> =7 +8 |9",
    "numbers": "In 1999, 3.14159 x 10^-5 = 12,345.67% of €50 or £9",
    "accents": "Crème brûlée à la carte, naïve façade, Ångström, jalapeño, Zürich",
    "cased": "McGregor iPad USA straße STRASSE",
    "cjk": "the 中文 word 日本語 and 汉字。mixed，text",
    "kana and hangul": "ひらがな カタカナ hello",
    "emoji": "fine 🙂 thumbs 👍🏽 family 👩‍👩‍👧 flag 🇳🇿 heart ❤️",
    "controls": "null\x00byte bell\x07 del\x7f soft\u00adhyphen zero\u200bwidth bom\ufeffmark replaced\ufffdhere",
    "bidi": "left \u202bright\u202c left \u2066isolate\u2069",
    "special": "[CLS] a [MASK] b [SEP] c [PAD] d [UNK] [mask] [MASK][MASK] x[MASK]y",
    "long word": "short " + "abc" * 40 + " short " + "z" * 100 + " " + "z" * 101,
    "greek": "Ο Οδυσσέας ΤΑΞΊΔΕΨΕ ΣΊΣΥΦΟΣ",
    "cyrillic": "Вода и ёлка, Йод",
    "turkish": "İstanbul ıslak ŞİŞE",
    "arabic": "مَرْحَبًا بالعالم",
    "devanagari": "नमस्ते दुनिया",
    "dashes": "en–dash em—dash ‘quotes’ “double” … ellipsis",
    "ligature": "ﬁnd ﬂow ½ ² № ™",
    "url": "see https://example.org/a?b=c&d=e#f or mail me@example.org",
    "repeated": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "unknown": "ꙮ 𓀀 𝔘",
}
WORDS = ["the", "a", "of", "and", "garden", "waters", "every", "wait", "what", "yes", "don", "word", "hello", "see"]
WORDS += ["short", "cafe", "creme", "mask", "ing", "ed", "s", "er"]
LEFT_OUT = set("ꙮ𓀀𝔘")


def spellings(text: str) -> set[str]:
    """All characters a normalisation may make of a text."""
    forms = {text, text.lower(), *map(str.lower, text)}
    forms |= {unicodedata.normalize(form, variant) for form in ("NFC", "NFD") for variant in list(forms)}
    return {char for form in forms for char in form if not char.isspace()} - LEFT_OUT


@pytest.fixture(scope="session")
def vocabulary() -> list[str]:
    """Special tokens out of order, every character of the strings in both positions, some words and endings."""
    letters = sorted(set().union(*map(spellings, STRINGS.values())))
    pieces = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *("##" + char for char in letters)]
    pieces += [*WORDS, *("##" + word for word in WORDS if len(word) > 1)]
    return list(dict.fromkeys(piece for piece in pieces if piece.strip() == piece))


@pytest.fixture(scope="session")
def vocab_file(vocabulary, tmp_path_factory):
    """The same as a file."""
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    path.write_bytes("".join(piece + "\n" for piece in vocabulary).encode("utf-8"))
    return path


@pytest.fixture(scope="session")
def slow(vocab_file):
    return ElectraTokenizer(vocab_file)


@pytest.fixture(scope="session")
def fast(vocab_file):
    return ElectraTokenizerFast(vocab_file)


@pytest.fixture(params=["slow", "fast"])
def tokenizer(request, slow, fast):
    """Either kind: what is claimed with this fixture holds for both."""
    return {"slow": slow, "fast": fast}[request.param]


@pytest.fixture(params=list(STRINGS))
def text(request):
    return STRINGS[request.param]


@pytest.fixture(scope="session")
def texts():
    return list(STRINGS.values())
