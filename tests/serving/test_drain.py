"""A server that is asked to stop: ready no more, then answering what it took, then gone."""

import json
import signal

import pytest
from served import Served

LONG = {"question": "How?", "context": "a b " * 700}  # a fifth of a second of one core
HUGE = {"question": "How?", "context": "a b " * 50_000}  # a quarter of a minute


@pytest.fixture(scope="module")
def servers(folders):
    """How a server is ended -> a server for it. They come up at the same time."""
    words = (folders["slow"], "--batch-size", 1, "--max-characters", 500_000, "--deadline-seconds", 300)
    made = {
        "drained": Served(*words, "--access-log", "--drain-seconds", 300),
        "cut": Served(*words, "--drain-seconds", 0.2),
        "forced": Served(*words),
    }
    yield {name: served.wait() for name, served in made.items()}
    for served in made.values():
        served.process.kill()
        served.process.communicate()


@pytest.mark.fault(41)
def test_what_is_in_flight_is_answered_and_nothing_new_is_taken(servers):
    server = servers["drained"]
    under_way = [server.begin("slow", *[LONG] * 4) for _ in range(3)]
    server.until("electra_in_flight", 3)
    server.process.send_signal(signal.SIGTERM)
    server.until_draining()
    status, headers, answer = server.predict("slow", LONG)
    assert (status, answer["error"]["code"], headers["Retry-After"]) == (503, "draining", "1")
    assert server.ask("GET", "/healthz")[0] == 200
    assert server.ask("GET", "/readyz")[2]["error"]["code"] == "not_ready"
    answers = [server.read(connection) for connection in under_way]
    assert [(status, len(answer["predictions"])) for status, _, answer in answers] == [(200, 4)] * 3
    server.process.wait(timeout=60)
    for connection in under_way:
        connection.close()
    code, logged, told = server.end()
    assert code == 0, told
    lines = [json.loads(line) for line in logged.splitlines()]
    kept = [line for line in lines if line["path"].endswith("/predict")]
    assert [(line["status"], line.get("error")) for line in kept] == [(503, "draining")] + [(200, None)] * 3
    assert kept[-1].items() >= {"method": "POST", "model": "slow", "inputs": 4, "client": "127.0.0.1"}.items()
    assert "a b a b" not in logged


@pytest.mark.fault(41)
@pytest.mark.parametrize(("how", "signals"), [("cut", [signal.SIGINT]), ("forced", [signal.SIGTERM, signal.SIGINT])])
def test_at_the_end_of_its_time_or_at_a_second_signal_a_server_tells_its_clients_and_ends(how, signals, servers):
    server = servers[how]
    under_way = server.begin("slow", HUGE)
    server.until("electra_in_flight", 1)
    for number in signals:
        server.process.send_signal(number)
        server.until_draining()
    status, headers, answer = server.read(under_way)
    assert (status, answer["error"]["code"], headers["Retry-After"]) == (503, "draining", "1")
    under_way.close()
    code, _, told = server.end()
    assert code == 1
    assert "a batch was cut off" in told
