"""What goes in and what comes out, for each kind of model, as JSON Schema: one table that requests are checked against and
that /openapi.json shows, so the document cannot say anything else than the server does.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from electra.errors import did_you_mean
from electra.serving.faults import Fault
from electra.serving.limits import Limits

Schema = Mapping[str, Any]
COUNT = 5  # suggestions or candidates, where a request does not say how many
MAX_COUNT = 50
MAX_CHOICES = 32  # each is read with the prompt

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}
NAMES = {dict: "an object", list: "a list", str: "text", int: "a number", float: "a number", bool: "true or false"}


def object_of(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None, **more: Any) -> Schema:
    """The schema of an object with these fields and no others."""
    fields = {**required, **(optional or {})}
    return {
        "type": "object",
        "properties": fields,
        "additionalProperties": False,
        **({"required": list(required)} if required else {}),
        **more,
    }


def list_of(items: Schema, **more: Any) -> Schema:
    """The schema of a list."""
    return {"type": "array", "items": items, **more}


STRING: Schema = {"type": "string"}
SCORE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
PLACE: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
COUNT_OF: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_COUNT, "default": COUNT}


# -- what goes in -------------------------------------------------------------------------------------------------------


def input_schema(kind: str, limits: Limits) -> Schema:
    """One input of a model of this kind."""
    text = {"type": "string", "maxLength": limits.max_characters}
    if kind in ("classification", "multi-label", "regression"):
        return object_of({"text": text}, {"pair": {"type": ["string", "null"], "maxLength": limits.max_characters}})
    if kind == "tagging":
        words = list_of(text, minItems=1, maxItems=limits.max_characters)
        return object_of({}, {"text": text, "words": words}, oneOf=[{"required": ["text"]}, {"required": ["words"]}])
    if kind == "answering":
        return object_of({"question": text, "context": text})
    if kind == "choice":
        return object_of({"prompt": text, "choices": list_of(text, minItems=2, maxItems=MAX_CHOICES)})
    return object_of({"text": text}, {"count": COUNT_OF} if kind == "filling" else {})


def predict_schema(kind: str, limits: Limits) -> Schema:
    """The body of a request for predictions."""
    return object_of({"inputs": list_of(input_schema(kind, limits), maxItems=limits.max_inputs)})


def suggest_schema(limits: Limits) -> Schema:
    """The body of a request for suggestions."""
    text = {"type": "string", "minLength": 1, "maxLength": limits.max_characters}
    end = {"type": "integer", "minimum": 1}
    return object_of({"text": text, "start": PLACE, "end": end}, {"count": COUNT_OF})


# -- what comes out -----------------------------------------------------------------------------------------------------

PROBABILITIES: Schema = {"type": "object", "additionalProperties": SCORE}
SPAN = {"start": PLACE, "end": PLACE}
NO_PLACE: Schema = {"type": ["integer", "null"], "minimum": 0}
ANSWER = {"answer": STRING, "start": NO_PLACE, "end": NO_PLACE, "score": {"type": ["number", "null"]}}
UNREAD = {"unread_pieces": {"type": "integer", "minimum": 1}}  # where a text was too long for the model
PREDICTIONS: Mapping[str, Schema] = {
    "classification": object_of({"label": STRING, "score": SCORE, "probabilities": PROBABILITIES}, UNREAD),
    "multi-label": object_of({"labels": list_of(STRING), "probabilities": PROBABILITIES}, UNREAD),
    "regression": object_of({"value": NUMBER}, UNREAD),
    "tagging": object_of(
        {"words": list_of(STRING), "tags": list_of(STRING)},
        {
            "offsets": list_of(list_of(PLACE, minItems=2, maxItems=2)),
            "entities": list_of(
                object_of(
                    {"type": STRING, **SPAN, "text": STRING}, {"characters": list_of(PLACE, minItems=2, maxItems=2)}
                )
            ),
        },
    ),
    "answering": object_of({**ANSWER, "nbest": list_of(object_of(ANSWER))}, {"no_answer_score": NUMBER, **UNREAD}),
    "choice": object_of({"label": PLACE, "choice": STRING, "score": SCORE, "probabilities": list_of(SCORE)}, UNREAD),
    "detection": object_of({"text": STRING, "words": list_of(object_of({"text": STRING, **SPAN, "score": SCORE}))}),
    "filling": object_of(
        {
            "text": STRING,
            "masks": list_of(object_of({**SPAN, "candidates": list_of(object_of({"text": STRING, "score": SCORE}))})),
        }
    ),
}
SUGGESTED = object_of({"suggestions": list_of(object_of({"text": STRING, "generator": SCORE, "score": SCORE}))})
FAULT = object_of({"error": object_of({"code": STRING, "message": STRING})})
MODEL = object_of(
    {"name": STRING, "kind": STRING, "labels": {"type": ["array", "null"], "items": STRING}, "max_length": PLACE}
)
MODELS = object_of({"models": list_of(MODEL)})


# -- checking -----------------------------------------------------------------------------------------------------------


def conform(value: Any, schema: Schema, place: str) -> Any:
    """The value as the schema wants it. Raises Fault (422) that names the place of what does not fit.

    A lone half of a surrogate pair, which JSON can write and UTF-8 cannot, becomes U+FFFD.
    """
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if isinstance(value, float) and value.is_integer() and "integer" in kinds:
        value = int(value)  # JSON has one kind of number
    if isinstance(value, bool) or not isinstance(value, tuple(found for kind in kinds for found in TYPES[kind])):
        raise _misfit(place, f"found {NAMES.get(type(value), 'null')}", "expected " + " or ".join(map(_said, kinds)))
    if isinstance(value, str):
        return _text(value, schema, place)
    if isinstance(value, dict):
        return _fields(value, schema, place)
    if isinstance(value, list):
        _between(len(value), schema.get("minItems", 0), schema.get("maxItems"), place, " items", "too_many")
        return [conform(item, schema["items"], f"{place}[{number}]") for number, item in enumerate(value)]
    if isinstance(value, int | float):
        _between(value, schema.get("minimum"), schema.get("maximum"), place, "", "bad_input")
    return value


def _text(value: str, schema: Schema, place: str) -> str:
    _between(len(value), schema.get("minLength", 0), schema.get("maxLength"), place, " characters", "too_long")
    return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _fields(value: Mapping[str, Any], schema: Schema, place: str) -> dict[str, Any]:
    fields = schema["properties"]
    for name in value:
        if name not in fields:
            raise _misfit(place, f"found {name[:60]!r}{did_you_mean(name[:60], fields)}", f"expected {_names(fields)}")
    for name in schema.get("required", ()):
        if name not in value:
            raise _misfit(place, f"found {_names(value) or 'nothing'}", f'expected "{name}"')
    choices = [one["required"][0] for one in schema.get("oneOf", ())]
    if choices and sum(name in value for name in choices) != 1:
        raise _misfit(place, f"found {_names(value) or 'nothing'}", f"expected one of {_names(choices)}")
    return {name: conform(item, fields[name], f"{place}.{name}".lstrip(".")) for name, item in value.items()}


def _between(value: float, lowest: float | None, highest: float | None, place: str, unit: str, code: str) -> None:
    if lowest is not None and value < lowest:
        raise _misfit(place, f"found {value}{unit}", f"expected at least {lowest}")
    if highest is not None and value > highest:
        raise _misfit(place, f"found {value}{unit}", f"expected at most {highest}", code)


def _misfit(place: str, found: str, expected: str, code: str = "bad_input") -> Fault:
    return Fault(422, code, f"{place or 'the body'}: {found}, {expected}")


def _said(kind: str) -> str:
    return {"object": "an object", "array": "a list", "string": "text", "null": "null"}.get(kind, "a whole number")


def _names(names: Sequence[str] | Mapping[str, Any]) -> str:
    return ", ".join(f'"{name[:60]}"' for name in list(names)[:10])
