"""The two WebSockets of a running server: who gets one, what is said, what comes in and what goes out."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.processes.rig import Running, wait_until

STREAM, TELEMETRY = "/ws/datapoints/stream", "/ws/controller/telemetry"
SINGLE, BATCH = "/api/v1/datapoints", "/api/v1/datapoints/batch"


@contextmanager
def opened(
    running: Running, path: str, token: str | None = None, *, in_query: bool = False, **headers: str
) -> Iterator[ClientConnection]:
    query = f"?token={token}" if token and in_query else ""
    given = dict(headers)
    if token and not in_query:
        given["Authorization"] = f"Bearer {token}"
    with connect(f"ws://127.0.0.1:{running.port}{path}{query}", additional_headers=given, proxy=None) as socket:
        yield socket


def hear(socket: ClientConnection, timeout: float = 10) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(socket.recv(timeout=timeout))
    return message


def say(socket: ClientConnection, document: object) -> None:
    socket.send(json.dumps(document))


def heard_of(socket: ClientConnection, event: str, *, until: float) -> list[dict[str, Any]]:
    """What the stream says about a channel, up to a value."""
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        message = hear(socket)
        found += [point for point in message.get("datapoints", []) if point["event_public_id"] == event]
        if found and found[-1]["value"] == until:
            return found
    raise AssertionError(f"{until} never came: {found}")


@pytest.fixture(scope="module")
def event(webmacs: Running) -> str:
    return webmacs.new_event("Socket")


@pytest.fixture(scope="module")
def viewer(webmacs: Running) -> str:
    return webmacs.token(webmacs.new_user("socketviewer")[0])


@pytest.mark.parametrize("path", [STREAM, TELEMETRY])
@pytest.mark.parametrize("in_query", [False, True], ids=["header", "query"])
def test_a_valid_token_is_told_that_it_is_connected(webmacs: Running, path: str, in_query: bool) -> None:
    with opened(webmacs, path, webmacs.token(), in_query=in_query) as socket:
        assert hear(socket)["type"] == "connected"
        say(socket, {"type": "ping"})
        assert hear(socket) == {"type": "pong"}


@pytest.mark.parametrize("path", [STREAM, TELEMETRY])
@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (None, "Authentication required"),
        ("nonsense", "Invalid or expired token"),
        ("wm_nonsense", "Invalid API token"),
    ],
)
def test_others_are_closed_with_the_reason(webmacs: Running, path: str, token: str | None, reason: str) -> None:
    with opened(webmacs, path, token) as socket, pytest.raises(ConnectionClosed) as closed:
        hear(socket)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, reason)


def test_a_viewer_listens_but_does_not_push(webmacs: Running, event: str, viewer: str) -> None:
    with opened(webmacs, STREAM, viewer) as socket:
        assert hear(socket)["type"] == "connected"
    with opened(webmacs, TELEMETRY, viewer) as socket, pytest.raises(ConnectionClosed) as closed:
        hear(socket)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_an_unknown_address_refuses_the_handshake(webmacs: Running) -> None:
    with pytest.raises(InvalidStatus) as refused, opened(webmacs, "/ws/nothing", webmacs.token()):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("path", [STREAM, TELEMETRY])
def test_a_page_of_another_site_is_refused_and_our_own_is_not(webmacs: Running, path: str) -> None:
    elsewhere = {"Origin": "http://evil.example"}
    with opened(webmacs, path, webmacs.token(), **elsewhere) as socket, pytest.raises(ConnectionClosed) as closed:
        hear(socket)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    with opened(webmacs, path, webmacs.token(), Origin=f"http://127.0.0.1:{webmacs.port}") as socket:
        assert hear(socket)["type"] == "connected"


def test_a_browser_listens_with_its_cookie(webmacs: Running) -> None:
    with opened(webmacs, STREAM, Cookie=webmacs.browser().cookie) as socket:
        assert hear(socket)["type"] == "connected"


def test_what_is_posted_is_streamed_in_the_documented_shape(webmacs: Running, event: str) -> None:
    with opened(webmacs, STREAM, webmacs.token()) as socket:
        hear(socket)
        webmacs.call("POST", SINGLE, {"event_public_id": event, "value": 4.5, "timestamp": "2026-11-20T12:00:00Z"})
        message = hear(socket)
    assert message["type"] == "datapoints_batch"
    assert message["datapoints"] == [
        {
            "value": 4.5,
            "event_public_id": event,
            "timestamp": "2026-11-20T12:00:00+00:00",
            "experiment_public_id": None,
        }
    ]


def test_a_value_in_a_running_experiment_names_it(webmacs: Running) -> None:
    event = webmacs.new_event("Socket in a run")
    started = {"name": "Socket run", "event_public_ids": [event]}
    experiment = webmacs.call("POST", "/api/v1/experiments", started)["public_id"]
    with opened(webmacs, STREAM, webmacs.token()) as socket:
        hear(socket)
        webmacs.call("POST", SINGLE, {"event_public_id": event, "value": 1})
        assert heard_of(socket, event, until=1)[0]["experiment_public_id"] == experiment
    webmacs.call("PUT", f"/api/v1/experiments/{experiment}/stop")


def test_a_whole_batch_is_streamed_and_what_comes_too_soon_only_by_its_newest(webmacs: Running) -> None:
    event = webmacs.new_event("Socket throttle")
    with opened(webmacs, STREAM, webmacs.token()) as socket:
        hear(socket)
        first = [{"event_public_id": event, "value": value} for value in (10, 20)]
        webmacs.call("POST", BATCH, {"datapoints": first})
        for value in range(100, 140):
            webmacs.call("POST", SINGLE, {"event_public_id": event, "value": value})
        said = [point["value"] for point in heard_of(socket, event, until=139)]
    assert said[:2] == [10, 20]
    assert len(said) < 42
    assert said == sorted(said)


def test_telemetry_is_recorded_and_streamed(webmacs: Running) -> None:
    event = webmacs.new_event("Socket telemetry")
    with opened(webmacs, STREAM, webmacs.token()) as listener, opened(webmacs, TELEMETRY, webmacs.token()) as device:
        hear(listener)
        hear(device)
        say(device, {"datapoints": [{"event_public_id": event, "value": "7.5"}]})
        assert heard_of(listener, event, until=7.5)
    newest = {point["event_public_id"]: point["value"] for point in webmacs.call("GET", "/api/v1/datapoints/latest")}
    assert newest[event] == 7.5


def test_telemetry_is_acknowledged_when_asked_for(webmacs: Running) -> None:
    event = webmacs.new_event("Socket acknowledged")
    good = {"event_public_id": event, "value": 1, "timestamp": 1_763_640_000}
    items = [good, {"event_public_id": "evt_none", "value": 1}, {"value": 2}, None, {**good, "value": None}, good]
    with opened(webmacs, TELEMETRY, webmacs.token()) as device:
        hear(device)
        say(device, {"id": 17, "ack": True, "datapoints": items})
        answer = hear(device)
    assert (answer["type"], answer["id"], answer["accepted"]) == ("ack", 17, 2)
    assert [item["index"] for item in answer["rejected"]] == [1, 2, 3, 4]
    assert webmacs.call("GET", f"{SINGLE}?event_public_id={event}")["total"] == 1


def test_messages_that_do_not_fit_are_answered_and_the_connection_stays(webmacs: Running, event: str) -> None:
    with opened(webmacs, TELEMETRY, webmacs.token()) as device:
        hear(device)
        say(device, {"datapoints": [{"event_public_id": event, "value": 1}] * 501})
        assert hear(device) == {"type": "error", "message": "Batch too large (501), max 500"}
        say(device, {"datapoints": [{"event_public_id": event, "value": None}, 7]})
        assert hear(device) == {"type": "error", "message": "No valid datapoints in batch"}
        device.send("no JSON")
        assert hear(device)["type"] == "error"
        say(device, {"datapoints": []})
        say(device, {"type": "ping"})
        assert hear(device) == {"type": "pong"}


@pytest.mark.parametrize("path", [STREAM, TELEMETRY])
def test_a_connection_ends_within_seconds_of_its_token(webmacs: Running, path: str) -> None:
    made = webmacs.call("POST", "/api/v1/tokens", {"name": f"Socket {path}"})
    with opened(webmacs, path, made["token"]) as socket:
        hear(socket)
        webmacs.call("DELETE", f"/api/v1/tokens/{made['public_id']}")
        began = time.monotonic()
        with pytest.raises(ConnectionClosed) as closed:
            hear(socket, 10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    assert time.monotonic() - began < 5.5


def test_a_client_that_does_not_read_holds_up_nobody(webmacs: Running) -> None:
    event = webmacs.new_event("Socket slow")
    with opened(webmacs, STREAM, webmacs.token()) as slow, opened(webmacs, STREAM, webmacs.token()) as quick:
        hear(slow)
        hear(quick)
        for value in range(50):
            webmacs.call("POST", SINGLE, {"event_public_id": event, "value": value})
        assert heard_of(quick, event, until=49)


def test_connections_that_left_are_forgotten(webmacs: Running) -> None:
    web = webmacs.part("web")
    before = web.num_fds()
    for _ in range(30):
        with opened(webmacs, STREAM, webmacs.token()) as socket:
            hear(socket)
    wait_until(lambda: web.num_fds() <= before + 5, "the connections are given up")
