"""A tuned model, ready to answer: examples in, predictions out, in any framework.

    line -> example -> features -> batches of about equal length -> the model -> predictions, in the order asked

Unusual here: a stream is answered in windows of lines, so memory is bounded and rows of a batch are still alike in length.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from electra.errors import DataError, UsageError
from electra.inference.engine import open_engine
from electra.inference.session import FILE
from electra.inference.shown import with_nbest
from electra.tasks.classification import TextKind
from electra.tasks.task import ChoiceExample, Example, Prediction, QuestionExample, TaggedExample, TextExample
from electra.tokenization import load_tokenizer
from electra.training.tune_batches import padding_multiple, predict_all
from electra.training.tune_files import TASK, Purpose, read_purpose
from electra.training.tune_settings import TuneSettings
from electra.weights.hub import local_folder

WINDOW = 1024  # lines that are sorted by length together
WORD = re.compile(r"\w+|[^\w\s]")  # of plain text that is to be tagged: words, and each other sign


class Predictor:
    """The model of a folder that `electra finetune` wrote (RUN/model), of a run (RUN), or of one exported from them.

    settings   batch_size, device, threads (0: all cores) and, where no engine is named, precision (auto: float32)
    framework  what computes by its plain model where it is not torch: tf or flax
    engine     auto, float32, bfloat16, int8 or plain; see electra.inference.engine. An exported model where none is named
               answers in the precision it was written in
    windows    of one text or pair: a long one is read in windows that share so many pieces, and their logits are averaged;
               None: as the model was tuned, where a text that is too long may be cut
    Raises DataError where the folder does not say what the model was tuned for, UsageError for windows of choices.
    """

    def __init__(
        self,
        model: str | Path,
        settings: TuneSettings | None = None,
        *,
        framework: str = "torch",
        engine: str | None = None,
        windows: int | None = None,
    ) -> None:
        folder = Path(model)
        if (folder / "model" / TASK).is_file():
            folder = folder / "model"
        folder = folder if folder.is_dir() else local_folder(str(model))
        self.purpose = in_windows(read_purpose(folder), windows)
        settings = settings or TuneSettings()
        if engine is None:
            engine = settings.precision
            if engine == "auto" and not (folder / FILE).is_file():
                engine = "float32"
        self.tokenizer = load_tokenizer(folder)
        self.engine = open_engine(folder, settings, framework=framework, engine=engine)
        self.batch_size = settings.batch_size
        self.multiple = padding_multiple(self.purpose.max_length, framework)

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        """A prediction for each example, in order, as the kind gives it. Raises DataError on one that cannot be read.

        One that was too long for a row also has "unread_pieces": how many pieces the model was not shown.
        """
        if not examples:
            return []
        purpose = self.purpose
        features = purpose.kind.features(examples, self.tokenizer, purpose.labels, purpose.max_length)
        outputs = predict_all(
            self.engine, features, batch_size=self.batch_size, pad_token_id=self.tokenizer.pad_token_id,
            multiple=self.multiple,
        )  # fmt: skip
        predictions = purpose.kind.predictions(examples, features, outputs, purpose.labels)
        for feature in features:
            if feature.unread:
                predictions[feature.example]["unread_pieces"] = feature.unread
        return predictions

    def predict_lines(
        self, lines: Iterable[str], window: int = WINDOW, *, nbest: int | None = None
    ) -> Iterator[Prediction]:
        """A prediction for each line, in order, holding no more than `window` lines.

        A line is JSON ({"text", "pair"}, {"question", "context"}, {"prompt", "choices"}, {"words"}) or plain text. One that
        cannot be used gives {"line", "error"} in its place. Blank lines give nothing.

        nbest   of answers to questions: list so many candidates, of whole words; None: all that the kind gives
        """
        held: list[tuple[int, str]] = []
        for number, line in enumerate(lines, start=1):
            if line.strip():
                held.append((number, line.rstrip("\r\n")))
            if len(held) == window:
                yield from self._answer(held, nbest)
                held = []
        yield from self._answer(held, nbest)

    def _answer(self, lines: Sequence[tuple[int, str]], nbest: int | None) -> Iterator[Prediction]:
        answers: dict[int, Prediction] = {}
        readable: list[tuple[int, Example, list[tuple[int, int]]]] = []
        for number, line in lines:
            try:
                readable.append((number, *read_line(self.purpose.kind.name, line, str(number), self.purpose.columns)))
            except DataError as error:
                answers[number] = {"line": number, "error": str(error)}
        found = self._predict_each([(number, example) for number, example, _ in readable])
        for (number, example, offsets), prediction in zip(readable, found, strict=True):
            if nbest is not None and isinstance(example, QuestionExample) and "nbest" in prediction:
                prediction = with_nbest(prediction, example.context, nbest)
            answers[number] = _with_characters(prediction, offsets)
        yield from (answers[number] for number, _ in lines)

    def _predict_each(self, examples: Sequence[tuple[int, Example]]) -> list[Prediction]:
        """All together; where one of them cannot be used, each alone, so that the others get their answers."""
        try:
            return self.predict([example for _, example in examples])
        except DataError as error:
            if len(examples) == 1:
                return [{"line": examples[0][0], "error": str(error)}]
            return [answer for one in examples for answer in self._predict_each([one])]


def in_windows(purpose: Purpose, windows: int | None) -> Purpose:
    """The purpose of a model that reads all of a long text. Raises UsageError where its kind cannot."""
    if purpose.kind.name == "choice" and windows is not None:
        raise UsageError("windows is set for a model of kind choice, which reads a prompt and a choice as one row")
    if not isinstance(purpose.kind, TextKind) or windows is None:
        return purpose  # tagging and answering read in windows as it is
    return replace(purpose, kind=replace(purpose.kind, windows=windows))


def _with_characters(prediction: Prediction, offsets: Sequence[tuple[int, int]]) -> Prediction:
    """The prediction for words of a text, with the characters they and their entities cover."""
    if not offsets or "error" in prediction:
        return prediction
    entities = [
        entity | {"characters": [offsets[entity["start"]][0], offsets[entity["end"] - 1][1]]}
        for entity in prediction.get("entities", ())
    ]
    return (
        prediction
        | ({"entities": entities} if "entities" in prediction else {})
        | {"offsets": list(map(list, offsets))}
    )


# -- lines --------------------------------------------------------------------------------------------------------------


def read_line(kind: str, line: str, number: str, columns: Mapping[str, Any]) -> tuple[Example, list[tuple[int, int]]]:
    """The example of a line, and where its words stand, where it was split into words.

    columns   names that stand for text, pair, ... in the files the model was tuned on; both are understood
    Raises DataError that says what was expected.
    """
    place = f"line {number}"
    values = _values(line, place)
    own = {
        field: columns[field]
        for field in ("text", "pair", "words", "question", "context", "prompt")
        if columns.get(field)
    }
    for field, name in own.items():
        if field not in values and name in values:
            values[field] = values[name]
    common: dict[str, Any] = {"id": str(values.get("id", number)), "place": place}
    return BUILDERS[kind](values, common)


def _values(line: str, place: str) -> dict[str, Any]:
    if not line.lstrip().startswith("{"):
        return {"text": line}
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{place}: not JSON: {error.msg}, at character {error.pos + 1}") from None
    return dict(values)


def _text_of(values: Mapping[str, Any], name: str, place: str) -> str:
    if not isinstance(values.get(name), str):
        found = f"{type(values[name]).__name__} as" if name in values else f"{', '.join(values)} and no"
        raise DataError(f'{place}: found {found} "{name}", expected text')
    return str(values[name])


def _texts_of(values: Mapping[str, Any], name: str, place: str) -> tuple[str, ...]:
    found = values.get(name)
    if not isinstance(found, list) or not found or not all(isinstance(item, str) for item in found):
        raise DataError(f'{place}: "{name}" is {type(found).__name__}, expected a list of texts')
    return tuple(found)


def _text_example(values: dict[str, Any], common: dict[str, Any]) -> tuple[Example, list[tuple[int, int]]]:
    pair = _text_of(values, "pair", common["place"]) if values.get("pair") is not None else None
    return TextExample(text=_text_of(values, "text", common["place"]), pair=pair, **common), []


def _tagged_example(values: dict[str, Any], common: dict[str, Any]) -> tuple[Example, list[tuple[int, int]]]:
    if "words" in values:
        return TaggedExample(words=_texts_of(values, "words", common["place"]), **common), []
    text = _text_of(values, "text", common["place"])
    found = list(WORD.finditer(text))
    if not found:
        raise DataError(f"{common['place']}: the text has no words")
    return TaggedExample(words=tuple(word[0] for word in found), **common), [word.span() for word in found]


def _question_example(values: dict[str, Any], common: dict[str, Any]) -> tuple[Example, list[tuple[int, int]]]:
    question, context = (_text_of(values, name, common["place"]) for name in ("question", "context"))
    return QuestionExample(question=question, context=context, **common), []


def _choice_example(values: dict[str, Any], common: dict[str, Any]) -> tuple[Example, list[tuple[int, int]]]:
    choices = _texts_of(values, "choices", common["place"])
    return ChoiceExample(prompt=_text_of(values, "prompt", common["place"]), choices=choices, **common), []


Builder = Callable[[dict[str, Any], dict[str, Any]], tuple[Example, list[tuple[int, int]]]]
BUILDERS: dict[str, Builder] = {
    "classification": _text_example,
    "multi-label": _text_example,
    "regression": _text_example,
    "tagging": _tagged_example,
    "answering": _question_example,
    "choice": _choice_example,
}
