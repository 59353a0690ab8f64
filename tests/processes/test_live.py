"""The one stream of a browser tab on a real server: who gets it, what it says, when it ends, and what it costs."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from tests.processes.listener import Listener
from tests.processes.rig import MAIL, Running, wait_until

SOON = 5.0  # seconds within which the end of a login must end its streams


@pytest.fixture(scope="module")
def channel(webmacs: Running) -> str:
    return webmacs.new_event("Live channel")


@pytest.fixture(scope="module")
def cookie(webmacs: Running) -> str:
    return webmacs.browser().cookie


def post(running: Running, event: str, value: float, mail: str = MAIL, at: datetime | None = None) -> None:
    moment = (at or datetime.now(UTC)).isoformat()
    running.call("POST", "/api/v1/datapoints", {"event_public_id": event, "value": value, "timestamp": moment}, mail)


# --- what it says -----------------------------------------------------------------------------------------------------


def test_a_stream_says_hello_shows_what_is_known_and_then_what_comes(
    webmacs: Running, channel: str, cookie: str
) -> None:
    post(webmacs, channel, 1.25)
    with Listener(webmacs, cookie) as tab:
        tab.wait_for(channel, 1.25)
        post(webmacs, channel, 2.5)
        tab.wait_for(channel, 2.5, timeout=5)
    assert tab.status == 200


def test_a_batch_comes_as_one_message_with_the_newest_values(webmacs: Running, cookie: str) -> None:
    event, now = webmacs.new_event("Batched channel"), time.time()
    points = [{"event_public_id": event, "value": n, "timestamp": now - 10 + n * 0.01} for n in range(500)]
    with Listener(webmacs, cookie) as tab:
        webmacs.call("POST", "/api/v1/datapoints/batch", {"datapoints": points[::-1]})
        tab.wait_for(event, 499)
    told = [item for kind, data in tab.events if kind == "values" for item in data["values"] if item["event"] == event]
    assert len(told) == 1


def test_many_values_are_told_five_times_a_second_at_most(webmacs: Running, channel: str, cookie: str) -> None:
    with Listener(webmacs, cookie) as tab:
        began = time.monotonic()
        for number in range(60):
            post(webmacs, channel, 100 + number)
        tab.wait_for(channel, 159)
        seconds = time.monotonic() - began
    told = [data for kind, data in tab.events if kind == "values"]
    assert len(told) <= 5 * seconds + 3


def test_a_value_of_the_past_is_not_shown_as_the_newest(webmacs: Running, channel: str, cookie: str) -> None:
    """An agent that was cut off sends what it kept: history, not news."""
    with Listener(webmacs, cookie) as tab:
        post(webmacs, channel, 7.5)
        tab.wait_for(channel, 7.5)
        post(webmacs, channel, -1.0, at=datetime.now(UTC) - timedelta(hours=1))
        time.sleep(0.5)  # so that it could have been told by itself
        post(webmacs, channel, 8.5)
        tab.wait_for(channel, 8.5)
    told = [item["value"] for kind, data in tab.events if kind == "values" for item in data["values"]]
    assert -1.0 not in told


def test_a_silent_stream_gives_signs_of_life(webmacs: Running, elsewhere: tuple[str, str]) -> None:
    """Proxies close what says nothing; the server promises a comment every 15 s."""
    cookie = webmacs.browser(elsewhere[1]).cookie
    with webmacs.raw(timeout=25) as connection:
        connection.sendall(f"GET /live/stream HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode())
        text = b""
        while b"\n: " not in text:
            piece = connection.recv(65536)
            assert piece, text
            text += piece
    assert b"event: values" not in text


# --- who gets it, and for how long ------------------------------------------------------------------------------------


@pytest.mark.parametrize("cookie", ["", "webmacs=forged", "webmacs=.eJx.aaa.bbb"])
def test_nobody_gets_a_stream_without_a_session(webmacs: Running, channel: str, cookie: str) -> None:
    post(webmacs, channel, 3.5)
    answer = webmacs.send("GET", "/live/stream", headers={"Cookie": cookie})
    assert (answer.status, answer.body) in ((204, b""), (401, b""))
    assert webmacs.send("GET", "/live/latest", headers={"Cookie": cookie}).status == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_stream_is_got_by_get_only(webmacs: Running, cookie: str, method: str) -> None:
    assert webmacs.send(method, "/live/stream", headers={"Cookie": cookie}).status in (404, 405)


def test_signing_out_elsewhere_does_not_end_the_stream_of_this_session(webmacs: Running, channel: str) -> None:
    here, there = webmacs.browser(), webmacs.browser()
    with Listener(webmacs, here.cookie) as tab:
        there.visit("/profile")
        assert there.submit("/logout").status == 303
        post(webmacs, channel, 11.5)
        tab.wait_for(channel, 11.5)
        time.sleep(1.0)  # nothing to wait for: it must not end
        assert tab.ended is None


def test_a_stream_ends_when_its_session_is_signed_out(webmacs: Running) -> None:
    mail, _ = webmacs.new_user("leaver")
    browser, other = webmacs.browser(mail), webmacs.browser(mail)
    with Listener(webmacs, browser.cookie) as tab:
        page = other.visit("/profile").body.decode()
        assert "/profile/sessions/end-others" in page
        assert other.submit("/profile/sessions/end-others").status == 303
        tab.wait_for_end(SOON)
    assert webmacs.send("GET", "/live/stream", headers={"Cookie": browser.cookie}).status == 204


def end_by_deletion(running: Running, public_id: str) -> None:
    running.call("DELETE", f"/api/v1/users/{public_id}")


def end_by_new_role(running: Running, public_id: str) -> None:
    running.call("PUT", f"/api/v1/users/{public_id}", {"role": "operator"})


def end_by_new_password(running: Running, public_id: str) -> None:
    running.call("PUT", f"/api/v1/users/{public_id}", {"password": "quite another password"})


@pytest.mark.parametrize("end", [end_by_deletion, end_by_new_role, end_by_new_password])
def test_a_stream_ends_when_an_administrator_ends_the_access(
    webmacs: Running, end: Callable[[Running, str], None]
) -> None:
    mail, public_id = webmacs.new_user(end.__name__.replace("_", ""))
    browser = webmacs.browser(mail)
    with Listener(webmacs, browser.cookie) as tab:
        end(webmacs, public_id)
        tab.wait_for_end(SOON)


def test_values_of_another_organization_never_arrive(
    webmacs: Running, channel: str, cookie: str, elsewhere: tuple[str, str]
) -> None:
    foreign, eve = elsewhere
    post(webmacs, foreign, 66.0, eve)
    with Listener(webmacs, cookie) as ours, Listener(webmacs, webmacs.browser(eve).cookie) as hers:
        hers.wait_for(foreign, 66.0)
        for number in range(5):
            post(webmacs, foreign, 70.0 + number, eve)
            post(webmacs, channel, 20.0 + number)
        hers.wait_for(foreign, 74.0)
        ours.wait_for(channel, 24.0)
    assert foreign not in json.dumps(ours.events)
    assert set(hers.values) == {foreign}


# --- when something is away -------------------------------------------------------------------------------------------


def test_a_stream_outlives_a_restart_of_redis_and_catches_up(fresh: Callable[..., Running]) -> None:
    running = fresh()
    event = running.new_event("Survivor")
    with Listener(running, running.browser().cookie) as tab:
        post(running, event, 1.0)
        tab.wait_for(event, 1.0)
        died = running.kill("broker")
        post(running, event, 2.0)  # recorded while nobody could tell
        wait_until(lambda: running.part("broker").pid != died, "the broker is back")
        tab.wait_for(event, 2.0)  # and told without anything new
        post(running, event, 3.0)
        tab.wait_for(event, 3.0)
        assert tab.ended is None


def slowest_of_30(running: Running, event: str) -> float:
    """Record 0 to 29; returns the seconds of the longest request."""
    slowest = 0.0
    for value in range(30):
        began = time.monotonic()
        post(running, event, value)
        slowest = max(slowest, time.monotonic() - began)
    return slowest


def test_recording_does_not_wait_for_a_redis_that_is_dead(fresh: Callable[..., Running]) -> None:
    running = fresh()
    event = running.new_event("Patient")
    os.kill(running.process.pid, signal.SIGSTOP)  # the supervisor would start the broker again at once
    try:
        running.kill("broker")
        assert slowest_of_30(running, event) < 2.0
    finally:
        os.kill(running.process.pid, signal.SIGCONT)
    assert running.call("GET", f"/api/v1/datapoints?event_public_id={event}")["total"] == 30


def test_recording_does_not_wait_for_a_redis_that_hangs_and_streams_catch_up(fresh: Callable[..., Running]) -> None:
    running = fresh()
    event, other = running.new_event("Patient"), running.new_event("Other")
    with Listener(running, running.browser().cookie) as tab:
        post(running, event, -1.0)
        tab.wait_for(event, -1.0)
        broker = running.part("broker").pid
        os.kill(broker, signal.SIGSTOP)
        try:
            assert slowest_of_30(running, event) < 2.0
        finally:
            os.kill(broker, signal.SIGCONT)
        wait_until(
            lambda: post(running, other, 1.0) or tab.values[event][0] == 29, "the stream has caught up", every=0.2
        )


# --- what it costs ----------------------------------------------------------------------------------------------------


def test_a_client_that_does_not_read_holds_up_nobody(webmacs: Running, channel: str, cookie: str) -> None:
    with ExitStack() as stack:
        for _ in range(20):
            deaf = stack.enter_context(socket.socket())
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            deaf.connect(("127.0.0.1", webmacs.port))
            deaf.sendall(f"GET /live/stream HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode())
        tab = stack.enter_context(Listener(webmacs, cookie))
        for number in range(50):
            post(webmacs, channel, 1000 + number)
        tab.wait_for(channel, 1049, timeout=5)


def test_200_idle_streams_stay_cheap(webmacs: Running, channel: str, cookie: str) -> None:
    web = webmacs.part("web")
    before = web.memory_info().rss
    request = f"GET /live/stream HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode()
    with ExitStack() as stack:
        tabs = []
        for _ in range(200):
            tabs.append(stack.enter_context(socket.create_connection(("127.0.0.1", webmacs.port), timeout=30)))
            tabs[-1].sendall(request)
        for tab in tabs:
            assert tab.recv(15) == b"HTTP/1.1 200 OK"
        spent = sum(web.cpu_times()[:2])
        time.sleep(5.0)
        share = (sum(web.cpu_times()[:2]) - spent) / 5.0
        assert web.memory_info().rss - before < 40 << 20
        assert share < 0.5, "of one processor"
        with Listener(webmacs, cookie) as tab:
            post(webmacs, channel, 77.0)
            tab.wait_for(channel, 77.0, timeout=10)
    wait_until(lambda: web.num_fds() < 200, "the streams are given up")
