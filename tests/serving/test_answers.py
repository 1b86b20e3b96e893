"""What is answered: the model's own answers, in order, alone or in a crowd, as the document says."""

import http.client
import re
from concurrent.futures import ThreadPoolExecutor

import jsonschema
import pytest
from prometheus_client.parser import text_string_to_metric_families
from served import LABELS

import electra

TEXT = "The old river followed the careful teacher."
INPUTS = {
    "classification": [{"text": TEXT}, {"text": ""}, {"text": "green", "pair": "old"}, {"text": "quiet", "pair": None}],
    "multi-label": [{"text": TEXT}, {"text": "The green window."}],
    "regression": [{"text": TEXT}, {"text": TEXT, "pair": "The green window."}],
    "tagging": [{"text": TEXT}, {"words": ["The", "old", "river"]}],
    "answering": [{"question": "How?", "context": TEXT}, {"question": "Who?", "context": TEXT * 20}],
    "choice": [
        {"prompt": "The river.", "choices": ["It was old.", "It was green."]},
        {"prompt": "", "choices": ["one", ""]},
    ],
    "pair": [{"text": TEXT}, {"text": ""}, {"text": TEXT * 20}],
    "pair-generator": [{"text": "The [MASK] river [MASK]."}, {"text": "[MASK]", "count": 2}],
}


def close(value, other):
    """Whether two plain values are the same but for the last digits of their numbers."""
    if isinstance(value, dict):
        return value.keys() == other.keys() and all(close(value[name], other[name]) for name in value)
    if isinstance(value, list):
        return len(value) == len(other) and all(map(close, value, other))
    return value == pytest.approx(other, rel=1e-4, abs=1e-5) if isinstance(value, float) else value == other


@pytest.fixture(scope="module")
def models(folders):
    """What the server was given, opened here."""
    opened = {
        name: electra.load(folder, engine="float32", threads=1) for name, folder in folders.items() if name != "slow"
    }
    return opened | {"pair-generator": opened["pair"].generator}


@pytest.fixture(scope="module")
def document(server):
    return server.ask("GET", "/openapi.json")[2]


@pytest.mark.parametrize("name", INPUTS)
def test_the_answers_are_those_of_the_model_and_as_documented(name, server, models, document):
    status, _, answer = server.predict(name, *INPUTS[name])
    assert status == 200, answer
    expected = [{key: value for key, value in one.items() if key != "id"} for one in models[name].predict(INPUTS[name])]
    assert close(answer["predictions"], expected)
    described = document["paths"][f"/v1/models/{name}/predict"]["post"]
    jsonschema.validate(answer, described["responses"]["200"]["content"]["application/json"]["schema"])
    sent = {"inputs": INPUTS[name]}
    jsonschema.validate(sent, described["requestBody"]["content"]["application/json"]["schema"])


def test_suggestions_are_those_of_the_model_and_as_documented(server, models, document):
    asked = {"text": TEXT, "start": 8, "end": 13, "count": 3}
    status, _, answer = server.ask("POST", "/v1/models/pair/suggest", asked)
    assert status == 200, answer
    assert close(answer["suggestions"], models["pair"].suggest(**asked))
    described = document["paths"]["/v1/models/pair/suggest"]["post"]
    jsonschema.validate(answer, described["responses"]["200"]["content"]["application/json"]["schema"])
    jsonschema.validate(asked, described["requestBody"]["content"]["application/json"]["schema"])


def test_the_models_are_listed_with_what_they_are(server, models):
    listed = server.ask("GET", "/v1/models")[2]["models"]
    assert [row["name"] for row in listed] == [*LABELS, "pair", "pair-generator"]
    for row in listed:
        model = models[row["name"]]
        assert (row["kind"], row["max_length"]) == (model.kind, model.max_length)
        assert row["labels"] == (None if model.labels is None else list(model.labels))


@pytest.mark.fault(20)
def test_a_request_without_inputs_has_no_answers(server):
    assert server.predict("tagging")[2] == {"predictions": []}


def test_a_crowd_is_answered_as_one_by_one(server):
    asked = [(name, one) for name, inputs in INPUTS.items() for one in inputs for _ in range(3)]
    alone = [server.predict(name, one)[2] for name, one in asked]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda pair: server.predict(*pair), asked))
    assert all(status == 200 for status, _, _ in together)
    assert all(close(answer, before) for (_, _, answer), before in zip(together, alone, strict=True))


def test_one_input_that_cannot_be_used_costs_its_neighbours_in_other_requests_nothing(server):
    good, bad = {"question": "Who?", "context": TEXT}, {"question": "Who? " * 50, "context": TEXT}
    expected = server.predict("answering", good)[2]
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda one: server.predict("answering", one), [good, bad] * 12))
    assert [status for status, _, _ in found] == [200, 422] * 12
    assert all(close(answer, expected) for _, _, answer in found[::2])
    assert "leaves no room for the text" in found[1][2]["error"]["message"]
    assert server.predict("answering", good, bad)[2]["error"]["message"].startswith("inputs[1]: ")


def test_inputs_with_other_numbers_of_choices_are_answered_in_one_request(server):
    asked = [
        {"prompt": TEXT, "choices": ["It was old.", "It was green.", "It was quiet."][:count]} for count in (3, 2, 3)
    ]
    status, _, answer = server.predict("choice", *asked)
    assert status == 200, answer
    assert [len(one["probabilities"]) for one in answer["predictions"]] == [3, 2, 3]


def test_a_connection_answers_one_request_after_another_also_after_a_refusal(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    for inputs, expected in (([{"text": TEXT}], 200), ([{}], 422), ([{"text": TEXT}], 200)):
        server.send(connection, "POST", "/v1/models/regression/predict", {"inputs": inputs})
        held = connection.sock
        assert server.read(connection)[0] == expected
        assert connection.sock is held
    connection.close()


@pytest.mark.fault(25)
def test_half_a_surrogate_pair_becomes_the_replacement_character(server):
    body = b'{"inputs": [{"text": "The \\ud800 river \\ud83d\\ude00"}]}'
    status, _, answer = server.ask("POST", "/v1/models/pair/predict", body)
    assert status == 200
    assert answer["predictions"][0]["text"] == "The � river 😀"


def test_metrics_are_as_prometheus_reads_them(server):
    before = server.metric('electra_requests_total{model="choice",status="200"}')
    server.predict("choice", *INPUTS["choice"])
    families = {family.name: family for family in text_string_to_metric_families(server.ask("GET", "/metrics")[2])}
    counted = {tuple(one.labels.values()): one.value for one in families["electra_requests"].samples}
    assert counted[("choice", "200")] == before + 1
    assert {
        "electra_request_seconds",
        "electra_batch_inputs",
        "electra_queue_inputs",
        "electra_rejected",
    } <= families.keys()
    for name in ("electra_request_seconds", "electra_batch_inputs"):
        buckets = [
            one.value
            for one in families[name].samples
            if one.name.endswith("_bucket") and one.labels["model"] == "choice"
        ]
        (count,) = (
            one.value
            for one in families[name].samples
            if one.name.endswith("_count") and one.labels["model"] == "choice"
        )
        assert buckets == sorted(buckets)
        assert buckets[-1] == count > 0


def test_the_page_and_its_files_need_no_key_and_come_from_this_server_alone(server):
    server.key, key = None, server.key
    try:
        status, headers, page = server.ask("GET", "/")
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        named = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert any(name.endswith(".js") for name in named)
        for name in named:
            assert name.startswith("assets/")
            assert server.ask("GET", f"/{name}")[0] == 200
    finally:
        server.key = key


def test_health_needs_no_key_and_every_answer_is_safe_for_a_browser(server):
    for path in ("/healthz", "/readyz", "/v1/models"):
        status, headers, _ = server.ask("GET", path)
        assert status == 200
        assert headers["Content-Security-Policy"].startswith("default-src 'self';")
        assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
