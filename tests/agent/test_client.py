"""The client against a real server that misbehaves on command."""

import asyncio
from email.utils import formatdate

import pytest

from tests.agent.rig import free_port
from webmacs.agent.client import Client, Patience, RefusedError, UnauthorizedError, UnreachableError
from webmacs.agent.clock import SECOND, Clock
from webmacs.agent.credentials import Credentials

QUICK = Patience(answer=0.3, connect=0.3, pause=0.01, locked_out=0.2)


@pytest.fixture
def token(tmp_path):
    file = tmp_path / "agent.token"
    file.write_text("wm_test")
    return file


def ask(server, token, *, attempts=3, method="get", times=1, given=None, clock=None):
    """The outcomes of `times` requests, one after the other; errors are returned, not raised."""

    async def work():
        client = Client(server.url, Credentials(given, token), clock or Clock(), QUICK)
        outcomes = []
        for _ in range(times):
            try:
                if method == "get":
                    outcomes.append(await client.get("datapoints/latest", attempts=attempts))
                else:
                    outcomes.append(
                        await client.post("logging", {"content": "x", "logging_type": "info"}, attempts=attempts)
                    )
            except (UnreachableError, UnauthorizedError, RefusedError) as failed:
                outcomes.append(failed)
        await client.close()
        return outcomes

    return asyncio.run(work())


def test_two_failures_and_a_success_are_a_success_with_three_calls(server, token):
    server.fault("latest", times=2)
    assert ask(server, token) == [[]]
    assert server.calls("latest") == 3


def test_lasting_failure_names_the_number_of_attempts(server, token):
    server.fault("latest", times=9, status=502)
    (failed,) = ask(server, token, attempts=2)
    assert isinstance(failed, UnreachableError)
    assert "2 attempts" in str(failed)
    assert server.calls("latest") == 2


def test_a_server_that_does_not_answer_in_time_is_tried_again(server, token):
    server.fault("latest", times=1, status=None, hang=1.0)
    assert ask(server, token) == [[]]
    assert server.calls("latest") == 2


def test_a_refused_connection_is_unreachable(server, token):
    server.down()
    (failed,) = ask(server, token, attempts=2)
    assert isinstance(failed, UnreachableError)


# the date lies in the past, so there is nothing to wait for; it is fixed, or two test processes would not agree on it
@pytest.mark.parametrize("asked", ["1", "Sun, 03 May 2026 12:00:00 GMT"])
def test_429_waits_as_long_as_the_server_asks_and_tries_again(server, token, asked):
    server.fault("latest", times=1, status=429, headers={"Retry-After": asked})
    started = asyncio.new_event_loop().time()
    assert ask(server, token) == [[]]
    assert asyncio.new_event_loop().time() - started >= (1.0 if asked == "1" else 0.0)
    assert server.calls("latest") == 2


def test_429_for_ever_is_unreachable(server, token):
    server.fault("latest", times=9, status=429, headers={"Retry-After": "0"})
    (failed,) = ask(server, token)
    assert isinstance(failed, UnreachableError)


def test_other_4xx_are_not_repeated_and_carry_the_servers_words(server, token):
    server.fault("logging", status=409, body={"detail": "Already there."})
    (failed,) = ask(server, token, method="post")
    assert isinstance(failed, RefusedError)
    assert (failed.status, str(failed)) == (409, "409: Already there.")
    assert server.calls("logging") == 1


@pytest.mark.parametrize(("status", "headers"), [(200, {}), (302, {"Location": "/elsewhere"})])
def test_an_answer_that_is_not_the_servers_json_is_unreachable(server, token, status, headers):
    server.fault("latest", status=status, headers=headers, body="<html>please log in</html>")
    (failed,) = ask(server, token)
    assert isinstance(failed, UnreachableError)
    assert "WEBMACS_SERVER_URL" in str(failed)


def test_401_reads_the_token_file_again_once(server, token):
    server.token = "wm_new"

    async def work():
        client = Client(server.url, Credentials(None, token), Clock(), QUICK)
        token.write_text("wm_new")
        answer = await client.get("datapoints/latest")
        await client.close()
        return answer

    assert asyncio.run(work()) == []
    assert server.calls("latest") == 2


def test_a_refused_token_is_not_hammered(server, token):
    server.token = "wm_other"
    outcomes = ask(server, token, times=50)
    assert all(isinstance(outcome, UnauthorizedError) for outcome in outcomes)
    assert server.calls("latest") < 5


def test_a_given_token_goes_before_the_file(server, token):
    token.write_text("wm_wrong")
    assert ask(server, token, given="wm_test") == [[]]


def test_without_a_token_nothing_is_sent(server, tmp_path):
    (failed,) = ask(server, tmp_path / "missing")
    assert isinstance(failed, UnauthorizedError)
    assert "missing" in str(failed)
    assert server.requests == []


def test_a_wrong_port_is_unreachable_and_not_an_unknown_error(server, token):
    server.url = f"http://127.0.0.1:{free_port()}"
    (failed,) = ask(server, token, attempts=1)
    assert isinstance(failed, UnreachableError)


def test_the_servers_clock_is_learned_from_several_answers(server, token):
    slow = Clock(wall=lambda: 1_000_000 * SECOND)
    ask(server, token, clock=slow, times=2)
    assert slow.server_offset == 0
    ask(server, token, clock=slow)
    assert slow.server_offset > 1_000_000 * SECOND
    assert slow.server_now() == 1_000_000 * SECOND + slow.server_offset


def test_a_date_from_before_a_stall_is_not_believed():
    clock = Clock()
    at = 1_000_000 * SECOND
    dates = [at - 40 * SECOND, at - 40 * SECOND, at, at, at - 40 * SECOND, at]
    for date in dates:
        clock.observe(formatdate(date / SECOND, usegmt=True), at, at + 1000)
        assert clock.server_offset == 0
    for _ in range(5):
        clock.observe(formatdate(at / SECOND - 40, usegmt=True), at - 9 * SECOND, at)
    assert clock.server_offset == 0
