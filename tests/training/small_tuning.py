"""Fine-tunings small enough for tests: a model of one layer with random weights, and examples that one word decides."""

from functools import partial

import numpy as np

from electra.config import ElectraConfig
from electra.heads import HEADS
from electra.tasks.table import find_kind
from electra.tasks.task import Answer, ChoiceExample, QuestionExample, TaggedExample, TextExample
from electra.training.encoder import Encoder
from electra.training.tune_data import TuneData
from electra.training.tune_files import Purpose
from electra.training.tune_settings import TuneSettings
from electra.training.tuner import open_tuner

NOUNS = ["river", "teacher", "engine", "garden", "letter", "window"]
ADJECTIVES = ["old", "green", "quiet", "careful"]
MODEL = dict(
    embedding_size=32, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
    max_position_embeddings=64, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, summary_last_dropout=0.0,
    initializer_range=0.1,
)  # fmt: skip


def encoder_of(tokenizer, **changes):
    """An encoder whose weights are drawn by the seed of each run."""
    config = ElectraConfig(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **(MODEL | changes))
    return Encoder(config=config, weights={}, tokenizer=tokenizer, what="random weights", fingerprint="")


def settings_of(**changes):
    values = dict(
        epochs=12, batch_size=16, max_length=48, learning_rate=5e-3, layer_decay=1.0, seeds=1, evaluations=2, threads=1,
        precision="float32", device="cpu",
    )  # fmt: skip
    return TuneSettings(**(values | changes))


def sentence(rng):
    adjective, noun, other = (str(rng.choice(words)) for words in (ADJECTIVES, NOUNS, NOUNS))
    return adjective, noun, f"The {adjective} {noun} followed the {other}."


def _classification(rng, common):
    _, noun, text = sentence(rng)
    return TextExample(text=text, label="place" if noun in ("river", "garden") else "other", **common)


def _several(rng, common):
    adjective, _, text = sentence(rng)
    labels = [
        name for name, words in (("calm", ("quiet", "careful")), ("seen", ("green", "quiet"))) if adjective in words
    ]
    return TextExample(text=text, label=tuple(labels), **common)


def _number(rng, common):
    adjective, _, text = sentence(rng)
    return TextExample(text=text, label=10.0 + 5 * ADJECTIVES.index(adjective), **common)


def _tags(rng, common):
    words = sentence(rng)[2].rstrip(".").split()
    return TaggedExample(words=tuple(words), tags=tuple("B-THING" if w in NOUNS else "O" for w in words), **common)


def _choice(rng, common):
    label = int(rng.integers(2))
    choices = [f"It was {'green' if number == label else 'old'}." for number in range(2)]
    return ChoiceExample(prompt=sentence(rng)[2], choices=tuple(choices), label=label, **common)


def _question(rng, common):
    adjective, _, text = sentence(rng)
    return QuestionExample(question="How?", context=text, answers=(Answer(text=adjective, start=4),), **common)


MAKERS = {
    "classification": _classification,
    "multi-label": _several,
    "regression": _number,
    "tagging": _tags,
    "choice": _choice,
    "answering": _question,
}


def data_of(kind="classification", count=96, dev=32, seed=0, **options):
    """Examples of a kind: `count` to learn from and `dev` to be judged on."""
    rng = np.random.default_rng(seed)
    make = partial(MAKERS[kind], rng)
    train, judged = (
        [make({"id": str(number), "place": f"{part}:{number}"}) for number in range(size)]
        for part, size in (("train", count), ("dev", dev))
    )
    found = find_kind(kind)(**options)
    found = found.scaled_to(train) if kind == "regression" else found
    return TuneData(
        name="own", kind=found, measure=found.measures[0], train=train, dev=judged, labels=found.labels(train)
    )


def model_folder(kind, tokenizer, folder, **options):
    """A model folder of a kind with random weights, as a fine-tuning leaves it in RUN/model."""
    data, settings = data_of(kind, **options), settings_of()
    encoder = encoder_of(tokenizer)
    config = ElectraConfig.from_dict(encoder.config.to_dict() | data.kind.settings(data.labels))
    head = next(row for row in HEADS if row.name == data.kind.head)
    open_tuner("torch", head.class_name, config, {}, settings, seed=0).save_model(folder)
    tokenizer.save_pretrained(folder)
    Purpose(name="own", kind=data.kind, measure=data.measure, labels=data.labels, max_length=settings.max_length).write(
        folder
    )
    return folder
