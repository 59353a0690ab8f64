"""A page tells the truth about its connection, and finds back by itself."""

import re
import signal
from collections.abc import Iterator

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.laboratory import PLANT, Laboratory, wait_until
from tests.browser.steps import tile, values_move

SOON = 6_000  # ms; five seconds are promised, and one is left to a busy machine


@pytest.fixture
def nobody_restarts(lab: Laboratory) -> Iterator[psutil.Process]:
    """The supervisor, stopped: what dies stays dead until it goes on."""
    supervisor = psutil.Process(lab.process.pid)
    supervisor.suspend()
    yield supervisor
    supervisor.resume()
    wait_until(lab.serves, "the server is back")


def _mode(page: Page, mode: str, timeout: float | None = None) -> None:
    expect(page.locator("[data-live-mode]")).to_have_text(mode, timeout=timeout)


def test_a_lost_server_is_told_and_the_page_recovers(
    lab: Laboratory, visit: Visit, nobody_restarts: psutil.Process
) -> None:
    page = visit("/", "oscar", quarrels=True)
    _mode(page, "live")
    valve = tile(page, "Valve position", PLANT)
    expect(valve.get_by_role("button", name="Apply")).to_be_enabled()
    lab.kill("web")
    expect(page.get_by_role("alert")).to_contain_text("Connection lost at", timeout=SOON)
    _mode(page, "offline")
    expect(valve.get_by_role("button", name="Apply")).to_be_disabled()
    expect(valve.get_by_role("textbox")).to_be_disabled()
    expect(tile(page, "Bed pressure drop", PLANT).locator("[data-live-value]")).to_have_text(re.compile(r"\d"))
    nobody_restarts.resume()
    _mode(page, "live")
    expect(page.get_by_text("Connection lost at")).to_be_hidden()
    expect(valve.get_by_role("button", name="Apply")).to_be_enabled()
    values_move(page)


def test_a_server_that_hangs_is_told_as_well(lab: Laboratory, visit: Visit) -> None:
    page = visit("/", "oscar", quarrels=True)
    _mode(page, "live")
    web = lab.part("web")
    web.send_signal(signal.SIGSTOP)
    try:
        expect(page.get_by_role("alert")).to_contain_text("Connection lost at", timeout=SOON)
    finally:
        web.send_signal(signal.SIGCONT)
    _mode(page, "live")
    values_move(page)


def test_without_a_stream_the_page_polls(visit: Visit) -> None:
    page = visit("/profile", "vera", quarrels=True)
    page.route("**/live/stream", lambda route: route.abort())
    page.goto("/")
    _mode(page, "polling")
    values_move(page)


def test_values_that_stop_coming_are_stale_and_say_how_old_they_are(lab: Laboratory, look: Visit) -> None:
    page = look("/", "vera")
    pressure = tile(page, "Bed pressure drop", PLANT)
    expect(pressure).not_to_have_class(re.compile("is-stale"))
    agent = lab.part("agent")
    agent.suspend()
    try:
        expect(pressure).to_have_class(re.compile("is-stale"))
        expect(pressure.locator("[data-live-age]")).to_have_text(re.compile(r"stale, \d+ s"))
        _mode(page, "live")  # the connection is not to blame
    finally:
        agent.resume()
    expect(pressure).not_to_have_class(re.compile("is-stale"))


def test_a_page_that_comes_back_into_view_catches_up(visit: Visit) -> None:
    page = visit("/", "vera")
    _mode(page, "live")
    hide = """hidden => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    with page.expect_request("**/live/latest"):
        page.evaluate(hide, False)
    _mode(page, "live")
    values_move(page)
