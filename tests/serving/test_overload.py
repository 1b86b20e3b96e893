"""A server with more to do than it can: what it refuses, what it drops, and that it goes on."""

from contextlib import closing

import pytest
from served import Served, eventually

LONG = {"question": "How?", "context": "a b " * 700}  # a fifth of a second of one core
HUGE = {"question": "How?", "context": "a b " * 15_000}  # four seconds
SHORT = {"question": "How?", "context": "The old river."}
QUEUED = 'electra_queue_inputs{model="slow"}'
LATE = 'electra_requests_total{model="slow",status="504"}'
ANSWERED = 'electra_batch_inputs_sum{model="slow"}'


@pytest.fixture(scope="module")
def servers(folders):
    """Two servers with room for 80 inputs: one gives up after half a second, the other after an hour."""
    words = (folders["slow"], "--queue", 80, "--batch-size", 8, "--max-characters", 100_000)
    made = [Served(*words, "--deadline-seconds", seconds) for seconds in (0.5, 3600)]
    yield [served.wait() for served in made]
    for served in made:
        code, _, told = served.end()
        assert code == 0, told
        assert "Traceback" not in told, told


@pytest.fixture
def hasty(servers):
    return servers[0]


@pytest.fixture
def server(servers):
    return servers[1]


def fill(server):
    """A connection whose request fills the server: it has begun with the first of 64 inputs, 13 seconds of work."""
    server.until("electra_in_flight", 0)
    settle(server)
    connection = server.begin("slow", *[LONG] * 64)
    eventually(lambda: 0 < server.metric(QUEUED) < 64)
    return connection


def of_eight(server):
    """How many batches had five to eight inputs; of long ones fewer go together."""
    below = [server.metric(f'electra_batch_inputs_bucket{{model="slow",le="{bound}"}}') for bound in (4, 8)]
    return below[1] - below[0]


def settle(server):
    """Wait for the input it was at when the request was over that it belonged to."""
    eventually(lambda: server.predict("slow", SHORT)[0] == 200)


@pytest.mark.fault(39)
def test_a_request_for_which_there_is_no_room_is_refused_with_the_time_to_come_again(server):
    with closing(fill(server)):
        status, headers, answer = server.predict("slow", *[SHORT] * 64)
        assert (status, answer["error"]["code"]) == (429, "queue_full")
        assert 1 <= int(headers["Retry-After"]) <= 60
        assert server.metric('electra_rejected_total{code="queue_full"}') == 1
        assert server.ask("GET", "/readyz")[0] == 200


@pytest.mark.fault(39)
def test_an_answer_that_is_late_is_given_up_and_the_work_for_it_too(hasty):
    settle(hasty)
    before = hasty.metric(ANSWERED)
    late = hasty.metric(LATE)
    with closing(hasty.begin("slow", HUGE)) as full:
        eventually(lambda: hasty.metric("electra_in_flight") or hasty.metric(LATE) > late)
        status, headers, answer = hasty.predict("slow", SHORT)
        assert (status, answer["error"]["code"]) == (503, "deadline")
        assert 1 <= int(headers["Retry-After"]) <= 60
        status, _, answer = hasty.read(full)
        assert (status, answer["error"]["code"]) == (504, "deadline")
    assert hasty.metric(QUEUED) == 0
    assert hasty.metric(ANSWERED) == before


def test_no_more_is_taken_in_than_can_be_answered_in_time_though_the_queue_has_room(hasty):
    for _ in range(4):
        hasty.predict("slow", LONG)  # it learns how long one takes
    codes = set()
    for _ in range(50):
        with closing(hasty.begin("slow", *[LONG] * 64)):
            codes.add(hasty.predict("slow", SHORT)[2].get("error", {}).get("code"))
        if "queue_full" in codes:
            return
    raise AssertionError(codes)


@pytest.mark.fault(39)
def test_the_work_for_a_client_that_leaves_is_dropped(server):
    before = server.metric(ANSWERED)
    fill(server).close()
    server.until("electra_in_flight", 0)
    assert server.metric(QUEUED) == 0
    assert server.metric('electra_requests_total{model="slow",status="499"}') >= 1
    settle(server)
    assert server.metric(ANSWERED) - before < 60


def test_what_waits_together_is_answered_together(server):
    full = fill(server)
    waiting = [server.begin("slow", SHORT) for _ in range(8)]
    server.until("electra_in_flight", 9)
    before = of_eight(server)
    full.close()
    assert [server.read(connection)[0] for connection in waiting] == [200] * 8
    assert of_eight(server) == before + 1
    for connection in waiting:
        connection.close()
