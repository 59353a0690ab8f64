"""One Chromium and one running WebMACS for each process of the test run, one fresh context for each tab.

Both live for this folder only: Playwright's event loop would get in the way of tests elsewhere that start their own.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.eyes import Watch
from tests.browser.laboratory import Laboratory
from tests.browser.steps import sign_in

HERE = Path(__file__).parent
PATIENCE = 15_000  # ms; only a broken page makes anybody wait so long
Visit = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs the browser."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("browser")


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser."""
    expect.set_options(timeout=PATIENCE)
    path = os.environ.get("WEBMACS_TEST_CHROMIUM") or "/usr/bin/chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """The running WebMACS that the tests of this process share; each test makes and clears away its own things."""
    laboratory = Laboratory(tmp_path_factory.mktemp("laboratory") / "data")
    try:
        laboratory.start()
        yield laboratory
    finally:
        laboratory.end()


@pytest.fixture
def new_context(chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Open a browser profile of its own; gone after the test."""
    contexts: list[BrowserContext] = []

    def open_one(base_url: str, **options: Any) -> BrowserContext:
        context = chromium.new_context(**({"base_url": base_url, "timezone_id": "UTC", "locale": "en-GB"} | options))
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        return context

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture(scope="package")
def sessions(chromium: Browser, lab: Laboratory) -> Callable[[str], Any]:
    """The cookies of somebody who signed in once, by the form."""
    known: dict[str, Any] = {}

    def of(who: str) -> Any:
        if who not in known:
            with chromium.new_context(base_url=lab.url) as context:
                page = context.new_page()
                page.goto("/login?next=/profile")
                sign_in(page, lab.mail(who))
                page.wait_for_url("**/profile")
                known[who] = context.cookies()
        return known[who]

    return of


@pytest.fixture
def visit(new_context: Callable[..., BrowserContext], request: pytest.FixtureRequest) -> Iterator[Visit]:
    """Open a page as somebody: `visit("/data", "oscar", viewport=…)`; None is a stranger.

    After the test no tab may have complained, unless it was opened with `quarrels=True`.
    """
    watched: list[Watch] = []

    def visit_as(
        path: str, who: str | None = "ada", at: Laboratory | None = None, *, quarrels: bool = False, **options: Any
    ) -> Page:
        laboratory = at or request.getfixturevalue("lab")
        context = new_context(laboratory.url, **options)
        if who is not None:
            context.add_cookies(request.getfixturevalue("sessions")(who))
        page = context.new_page()
        if not quarrels:
            watched.append(Watch(page))
        page.goto(path)
        return page

    yield visit_as
    _assert_silent(watched)


def _assert_silent(watched: list[Watch]) -> None:
    assert [complaint for watch in watched for complaint in watch.complaints] == []


@pytest.fixture(scope="package")
def windows(chromium: Browser, lab: Laboratory, sessions: Callable[[str], Any]) -> Callable[[str], tuple[Page, Watch]]:
    """The window of somebody that stays open: a new one costs three times what a page costs."""
    known: dict[str, tuple[Page, Watch]] = {}

    def of(who: str) -> tuple[Page, Watch]:
        if who not in known:
            context = chromium.new_context(base_url=lab.url, reduced_motion="reduce", timezone_id="UTC", locale="en-GB")
            context.set_default_timeout(PATIENCE)
            context.add_cookies(sessions(who))
            page = context.new_page()
            known[who] = (page, Watch(page))
        return known[who]

    return of


@pytest.fixture
def look(windows: Callable[[str], tuple[Page, Watch]]) -> Iterator[Callable[..., Page]]:
    """Open a page in somebody's window, for a test that needs none of its own; like `visit` otherwise."""
    watched: list[Watch] = []
    pages: list[Page] = []

    def look_at(path: str, who: str = "ada") -> Page:
        page, watch = windows(who)
        watch.complaints.clear()
        watched.append(watch)
        pages.append(page)
        page.set_viewport_size({"width": 1280, "height": 800})
        page.emulate_media(color_scheme="light")
        page.goto(path)
        return page

    yield look_at
    for page in pages:
        page.goto("about:blank")  # a live page that nobody looks at costs, too
    _assert_silent(watched)
