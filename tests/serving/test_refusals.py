"""What is refused, and how: every wrong request gets a 4xx with a code, costs little, and delays nobody."""

import json
import threading

import psutil
import pytest
from served import KEY, rest

PREDICT = "/v1/models/classification/predict"
TEXT = {"text": "The old river."}


def head(method, path, *headers):
    """The line and the headers of a request, as they are sent."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""])


def inputs(*values):
    return json.dumps({"inputs": values}).encode()


BODIES = {
    "nothing": (b"", 400, "bad_json"),
    "no JSON": (b"The old river.", 400, "bad_json"),
    "half": (b'{"inputs": [', 400, "bad_json"),
    "NaN": (b'{"inputs": [{"text": NaN}]}', 400, "bad_json"),
    "infinity": (b'{"inputs": -Infinity}', 400, "bad_json"),
    "beyond float": (b'{"inputs": 1e999}', 422, "bad_input"),
    "digits": (b'{"inputs": ' + b"9" * 5000 + b"}", 400, "bad_json"),
    "deep lists": (b"[" * 150_000, 400, "bad_json"),
    "deep objects": (b'{"inputs":' * 10_000 + b"1" + b"}" * 10_000, 400, "bad_json"),
    "no UTF-8": (b'{"inputs": [{"text": "\xff\xfe"}]}', 400, "bad_encoding"),
    "UTF-16": ('{"inputs": []}'.encode("utf-16"), 400, "bad_encoding"),
    "a list": (b"[]", 422, "bad_input"),
    "null": (b"null", 422, "bad_input"),
    "no field": (b"{}", 422, "bad_input"),
    "another field": (b'{"input": []}', 422, "bad_input"),
    "half a pair as a name": (b'{"\\ud800": []}', 422, "bad_input"),
    "an object": (b'{"inputs": {"text": "a"}}', 422, "bad_input"),
    "a text": (b'{"inputs": ["a"]}', 422, "bad_input"),
    "a number": (inputs({"text": 1}), 422, "bad_input"),
    "true": (inputs({"text": True}), 422, "bad_input"),
    "words": (inputs({"words": ["a"]}), 422, "bad_input"),
    "too many": (inputs(*[TEXT] * 65), 422, "too_many"),
    "too long": (inputs({"text": "a" * 20_001}), 422, "too_long"),
    "too long together": (inputs({"text": "a" * 15_000, "pair": "b" * 15_000}), 422, "too_long"),
}


@pytest.mark.fault(37)
@pytest.mark.parametrize("name", BODIES)
def test_a_wrong_body_is_told_what_is_wrong(name, server):
    body, status, code = BODIES[name]
    found, _, answer = server.ask("POST", PREDICT, body)
    assert (found, answer["error"]["code"]) == (status, code)
    assert len(answer["error"]["message"]) < 300


def test_the_message_names_the_place_and_the_nearest_word(server):
    message = server.predict("classification", TEXT, {"txt": "a"})[2]["error"]["message"]
    assert message == 'inputs[1]: found \'txt\' (did you mean "text"?), expected "text", "pair"'
    message = server.predict("clasification", TEXT)[2]["error"]["message"]
    assert message.startswith(
        "found 'clasification' (did you mean \"classification\"?), expected one of: classification, "
    )


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", PREDICT, 405, "bad_method"),
        ("OPTIONS", PREDICT, 405, "bad_method"),
        ("DELETE", "/v1/models", 405, "bad_method"),
        ("GET", "/v1/models/", 404, "not_found"),
        ("GET", "/assets/none.js", 404, "not_found"),
        ("POST", "/v1/models/tagging/suggest", 404, "no_suggestions"),
        ("POST", "/v1/models/pair-generator/suggest", 404, "no_suggestions"),
    ],
)  # fmt: skip
def test_an_address_or_method_that_is_not_there_is_told_in_json(method, path, status, code, server):
    found, headers, answer = server.ask(method, path, b"{}" if method == "POST" else None)
    assert (found, answer["error"]["code"]) == (status, code)
    assert ("Allow" in headers) == (status == 405)


@pytest.mark.fault(40)
@pytest.mark.parametrize(
    "name",
    [
        "..", "../classification", "..%2fclassification", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%5c..%5cwindows", "%00",
        "classification%00", "classification%2f", "%2fetc%2fpasswd", "file:%2f%2f%2fetc%2fpasswd", "http:%2f%2flocalhost",
        "CLASSIFICATION", "classification%20", "..%c0%af..%c0%afetc", "a" * 5000,
    ],
)  # fmt: skip
def test_a_name_that_is_not_in_the_table_reaches_nothing(name, server):
    for path in (f"/v1/models/{name}/predict", f"/v1/models/{name}/suggest", f"/assets/{name}"):
        status, _, answer = server.ask("POST" if "models" in path else "GET", path, inputs(TEXT))
        assert status in (404, 405)
        assert "passwd:" not in str(answer)


def test_suggestions_for_a_place_that_is_not_there_are_refused(server):
    for place in ({"start": 5, "end": 5}, {"start": 0, "end": 99}, {"start": -1, "end": 2}, {"start": 3, "end": 4}):
        status, _, answer = server.ask("POST", "/v1/models/pair/suggest", {"text": "The old", **place})
        assert (status, answer["error"]["code"]) == (422, "bad_input")


def test_a_text_of_nothing_but_masks_is_refused(server):
    assert server.predict("pair-generator", {"text": "[MASK] " * 17})[2]["error"]["code"] == "too_many"
    assert server.predict("pair-generator", {"text": "no mask"})[0] == 422


def test_a_key_is_asked_for_except_where_health_is_shown(server):
    for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": KEY}, {"Authorization": f"Basic {KEY}"}):
        server.key, key = None, server.key
        try:
            for method, path in (
                ("GET", "/v1/models"),
                ("POST", PREDICT),
                ("GET", "/metrics"),
                ("GET", "/openapi.json"),
            ):
                status, headers, answer = server.ask(method, path, inputs(TEXT) if method == "POST" else None, **header)
                assert (status, answer["error"]["code"]) == (401, "no_key")
                assert headers["WWW-Authenticate"] == "Bearer"
            assert server.ask("GET", "/healthz", **header)[0] == server.ask("GET", "/readyz", **header)[0] == 200
        finally:
            server.key = key
    assert server.ask("GET", "/v1/models", Authorization=f"Bearer another-{KEY}")[0] == 200


def test_another_content_type_is_refused(server):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""):
        assert server.ask("POST", PREDICT, inputs(TEXT), Content_Type=kind)[2]["error"]["code"] == "not_json"
    assert server.ask("POST", PREDICT, inputs(TEXT), Content_Type="Application/JSON; charset=utf-8")[0] == 200


@pytest.mark.fault(36)
@pytest.mark.parametrize("how", ["Content-Length: 200000000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("path", [PREDICT, "/v1/models/none/predict", "/healthz"])
def test_a_body_of_200_megabytes_is_refused_without_being_kept(how, path, server):
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    connection = server.connect(
        head("POST", path, f"Authorization: Bearer {KEY}", "Content-Type: application/json", how)
    )
    answer = []
    reader = threading.Thread(target=lambda: answer.append(rest(connection)))
    reader.start()
    highest = before
    part = b" " * 1_000_000
    try:
        for _ in range(200):
            connection.sendall(part if "Length" in how else b"f4240\r\n" + part + b"\r\n")
            highest = max(highest, process.memory_info().rss)
    except OSError:  # it closed, as it should
        pass
    reader.join()
    status, code = {PREDICT: (413, "too_large"), "/healthz": (405, "bad_method")}.get(path, (404, "unknown_model"))
    assert answer[0].startswith(f"HTTP/1.1 {status} ")
    assert f'"code":"{code}"' in answer[0]
    assert highest - before < 20_000_000


def test_bodies_that_are_read_at_once_take_no_more_memory_than_is_set_aside_for_them(server):
    """Where 70 clients send 190,000 of 200,000 bytes each, the last ones are refused."""
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    sent = head(
        "POST", PREDICT, f"Authorization: Bearer {KEY}", "Content-Type: application/json", "Content-Length: 200000"
    )
    connections = [server.connect(sent + " " * 190_000) for _ in range(70)]
    told = [rest(connection) for connection in connections]
    assert all(text.startswith(("HTTP/1.1 503 ", "HTTP/1.1 408 ")) for text in told)
    assert any('"too_busy"' in text for text in told)
    assert process.memory_info().rss - before < 30_000_000
    assert server.predict("classification", TEXT)[0] == 200


@pytest.mark.fault(38)
def test_fifty_clients_that_never_finish_are_told_and_closed_and_delay_nobody(server):
    sent = head("POST", PREDICT, f"Authorization: Bearer {KEY}", "Content-Type: application/json", "Content-Length: 99")
    starts = ("", "POST", sent[:-10], f'{sent}{{"inputs": [')
    connections = [server.connect(starts[number % 4]) for number in range(52)]
    assert all(server.predict("classification", TEXT)[0] == 200 for _ in range(20))
    told = [rest(connection) for connection in connections]
    assert all(text.startswith("HTTP/1.1 408 ") for text in told)
    codes = ["slow_body" if number % 4 == 3 else "slow_headers" for number in range(52)]
    assert all(f'"code":"{code}"' in text for code, text in zip(codes, told, strict=True))


@pytest.mark.fault(38)
def test_a_letter_now_and_then_keeps_no_connection_open(server):
    connection = server.connect("GET /healthz HTTP/1.1\r\nX-Slow: ")
    told = []
    reader = threading.Thread(target=lambda: told.append(rest(connection)))
    reader.start()
    try:
        while reader.is_alive():
            connection.sendall(b"a")
            reader.join(0.1)
    except OSError:  # it is closed
        pass
    reader.join()
    assert told[0].startswith("HTTP/1.1 408 ")


@pytest.mark.fault(38)
def test_where_connections_are_taken_those_that_only_wait_make_place(server):
    connections = [server.connect("GET ") for _ in range(130)]
    assert server.predict("classification", TEXT)[0] == 200
    assert server.metric('electra_closed_connections_total{cause="too_many"}') >= 30
    told = [rest(connection) for connection in connections]
    assert '"too_many_connections"' in told[0]
    assert all(text.startswith(("HTTP/1.1 503 ", "HTTP/1.1 408 ")) for text in told)


NOT_HTTP = {
    "bytes": "\0\1\2\r\n\r\n",
    "no version": "GET /\r\n\r\n",
    "no host": "GET / HTTP/1.1\r\n\r\n",
    "no colon": head("GET", "/", "no colon"),
    "a negative length": head("POST", "/", "Content-Length: -1"),
    "two lengths": head("POST", "/", "Content-Length: 5", "Content-Length: 6"),
    "long headers": head("GET", "/", "X: " + "a" * 400_000),
    "a broken address": head("GET", "http://[", "Connection: close"),
    "letters beyond ASCII": head("GET", "/\u00fc", "Connection: close"),
}


@pytest.mark.parametrize("name", NOT_HTTP)
def test_what_is_not_http_is_told_and_closed(name, server):
    told = rest(server.connect(NOT_HTTP[name]))
    assert told.startswith("HTTP/1.1 4")
    assert "connection: close" in told.lower()


def test_two_requests_sent_at_once_are_answered_in_order(server):
    told = rest(server.connect(head("GET", "/readyz") + head("GET", "/healthz", "Connection: close")))
    assert told.index("ready") < told.index("ok\n")
    assert told.count("HTTP/1.1 200") == 2
