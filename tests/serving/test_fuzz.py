"""Requests drawn from the server's own document: those that fit it are answered as it says, all others are refused by name."""

import json
import math

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nightly import examples

TEXTS = st.text(max_size=30) | st.sampled_from(
    ["[MASK]", "a [MASK] b", "[SEP][CLS][PAD]", "\0", "\ufeff", "\u2028\u0301", "ﷺ" * 20, "🏳️‍🌈", "a" * 300, "1 " * 200]
)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
)
ANYTHING = st.recursive(SCALARS, lambda some: st.lists(some, max_size=3) | st.dictionaries(TEXTS, some, max_size=3))
PATHS = [f"/v1/models/{name}/predict" for name in ("classification", "tagging", "answering", "choice", "pair")]
PATHS += ["/v1/models/pair-generator/predict", "/v1/models/pair/suggest"]
RUN = settings(max_examples=examples(60, 2000), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def fitting(schema):
    """Values that fit a schema, as far as the document says."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if kinds[0] == "object":
        optional = {
            name: fitting(field)
            for name, field in schema["properties"].items()
            if name not in schema.get("required", ())
        }
        required = {name: fitting(field) for name, field in schema["properties"].items() if name not in optional}
        if "oneOf" in schema:
            return st.one_of([st.fixed_dictionaries({name: optional[name]}) for name in optional])
        return st.fixed_dictionaries(required, optional=optional)
    if kinds[0] == "array":
        return st.lists(fitting(schema["items"]), min_size=schema.get("minItems", 0), max_size=3)
    if kinds[0] == "integer":
        return st.integers(schema["minimum"], schema.get("maximum", 50))
    texts = TEXTS.filter(lambda text: len(text) >= schema.get("minLength", 0))
    return texts | st.none() if "null" in kinds else texts


@st.composite
def misfitting(draw, schema):
    """Values that do not: somewhere inside a type is wrong, a field too much or missing, or a number or list too large."""
    value = draw(fitting(schema))
    if isinstance(value, dict) and value and draw(st.booleans()):
        name = draw(st.sampled_from(sorted(value)))
        return value | {name: draw(misfitting(schema["properties"][name]))}
    if isinstance(value, list) and value and draw(st.booleans()):
        return [*value, draw(misfitting(schema["items"]))]
    others = [ANYTHING, st.just({**value, "more": 1}) if isinstance(value, dict) else ANYTHING]
    if isinstance(value, list) and schema.get("maxItems", math.inf) < 100:
        others.append(st.just([value[0] if value else draw(fitting(schema["items"]))] * (schema["maxItems"] + 1)))
    if isinstance(value, str):
        others.append(st.just("a" * (schema["maxLength"] + 1)))
    return draw(st.one_of(others))


@pytest.fixture(scope="module")
def posts(server):
    """Path -> (schema of the body, schema of the answer)."""
    paths = server.ask("GET", "/openapi.json")[2]["paths"]
    return {
        path: (_schema(paths[path]["post"]["requestBody"]), _schema(paths[path]["post"]["responses"]["200"]))
        for path in PATHS
    }


def _schema(described):
    return described["content"]["application/json"]["schema"]


@RUN
@given(data=st.data(), path=st.sampled_from(PATHS))
def test_what_fits_is_answered_as_documented_or_refused_by_the_model(data, path, server, posts):
    asked, answered = posts[path]
    value = data.draw(fitting(asked))
    status, _, answer = server.ask("POST", path, value)
    if status == 200:
        jsonschema.validate(answer, answered)
    else:
        assert (status, answer["error"]["code"]) == (422, "bad_input")


@pytest.mark.fault(37, 18)
@RUN
@given(data=st.data(), path=st.sampled_from(PATHS))
def test_what_does_not_fit_is_refused(data, path, server, posts):
    asked, _ = posts[path]
    value = data.draw(
        misfitting(asked).filter(lambda value: not jsonschema.Draft202012Validator(asked).is_valid(value))
    )
    status, _, answer = server.ask("POST", path, json.dumps(value).encode())
    assert (status, answer["error"]["code"]) in [(422, code) for code in ("bad_input", "too_many", "too_long")], answer


@pytest.mark.fault(37)
@RUN
@given(
    path=st.sampled_from(PATHS),
    body=st.binary(max_size=60) | ANYTHING.map(lambda value: json.dumps(value)[1:].encode()),
)
def test_bytes_of_any_kind_are_refused_by_name(path, body, server):
    status, _, answer = server.ask("POST", path, body)
    assert (status, answer["error"]["code"]) in [(400, "bad_json"), (400, "bad_encoding"), (422, "bad_input")], answer
