"""Single sign-on in a real browser, at a provider that others made, which runs in a process of its own."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.eyes import overflow, overlaps, violations
from tests.browser.laboratory import PASSWORD, Laboratory
from tests.browser.steps import heading, sign_in
from tests.browser.test_every_page import PICTURES, PICTURES_WANTED
from tests.processes.rig import free_port, wait_until

GRACE = {"sub": "grace", "email": "grace@lab.example", "email_verified": True, "preferred_username": "grace"}
CHIEF = {"sub": "chief", "email": "chief@lab.example", "email_verified": True, "groups": ["chiefs"]}
NOBODY = {"sub": "nobody", "email": "nobody@lab.example", "email_verified": False}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The issuer of a provider that knows some people."""
    port = free_port()
    people = [word for claims in (GRACE, CHIEF, NOBODY) for word in ("--user-claims", json.dumps(claims))]
    log = (tmp_path_factory.mktemp("provider") / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce", *people],
        env=os.environ | {"AUTHLIB_INSECURE_TRANSPORT": "1"},
        stdout=log,
        stderr=log,
    )
    try:
        issuer = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(f"{issuer}/.well-known/openid-configuration"), "the provider answers")
        yield issuer
    finally:
        process.terminate()
        process.wait(10)
        log.close()


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:  # noqa: S310 - an address of our own
            return int(answer.status) == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def campus(provider: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """A WebMACS whose people sign in at the provider."""
    laboratory = Laboratory(
        tmp_path_factory.mktemp("campus") / "data",
        OIDC_ENABLED="1",
        OIDC_PROVIDER_NAME="Campus",
        OIDC_ISSUER_URL=provider,
        OIDC_CLIENT_ID="webmacs",
        OIDC_CLIENT_SECRET="a secret of the two",
        OIDC_ROLE_CLAIM="groups",
        OIDC_ROLE_MAPPING='{"chiefs": "operator"}',
    )
    try:
        laboratory.start()
        yield laboratory
    finally:
        laboratory.end()


@pytest.fixture
def arrive(visit: Visit, campus: Laboratory) -> Visit:
    """Open a page of the campus as a stranger, in a browser that loads nothing from other places."""

    def at_campus(path: str, **options: Any) -> Page:
        page = visit(path, None, at=campus, **options)
        # the provider's pages want a style sheet of another site
        page.context.route(re.compile("^https://"), lambda route: route.fulfill(body="", content_type="text/css"))
        return page

    return at_campus


def press(page: Page, who: str | None) -> None:
    """Press our button, and sign in at the provider (None: deny)."""
    page.get_by_role("link", name="Sign in with Campus").click()
    page.get_by_role("button", name=who or "Deny", exact=True).click()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_somebody_signs_in_and_goes_on_to_where_they_wanted(campus: Laboratory, arrive: Visit, scripts: bool) -> None:
    page = arrive("/data", java_script_enabled=scripts)
    heading(page, "Sign in")
    expect(page.get_by_text("or", exact=True)).to_be_visible()
    addresses: list[str] = []
    page.on("framenavigated", lambda frame: addresses.append(frame.url))
    press(page, "grace")
    heading(page, "Data")
    assert page.url == f"{campus.url}/data"
    assert not [url for url in addresses if "code=" in url]  # it was in the address of a redirect at most
    expect(page.get_by_role("button", name=re.compile("grace.*menu"))).to_be_visible()


def test_going_back_does_not_show_the_code(campus: Laboratory, arrive: Visit) -> None:
    page = arrive("/login")
    press(page, "grace")
    heading(page, "Overview")
    for _ in range(3):
        page.go_back()
        assert "code=" not in page.url
        if "/login" in page.url:
            break


def test_whoever_denies_reads_why_they_are_back(campus: Laboratory, arrive: Visit) -> None:
    page = arrive("/login?next=/data")
    press(page, None)
    heading(page, "Sign in")
    expect(page.get_by_role("alert")).to_contain_text("denied or cancelled")
    assert "next=%2Fdata" in page.url
    press(page, "grace")  # and can try again at once
    heading(page, "Data")


def test_a_refusal_is_a_page_that_can_be_read(campus: Laboratory, arrive: Visit) -> None:
    page = arrive("/login", quarrels=True)
    press(page, "nobody")
    expect(page.locator("main")).to_contain_text("email address is not verified")
    page.goto("/sso-callback?code=stolen")
    heading(page, "Not signed in")
    page.get_by_role("link", name="Back to Login").click()
    heading(page, "Sign in")


def test_a_group_says_the_role(campus: Laboratory, arrive: Visit) -> None:
    page = arrive("/login")
    press(page, "chief")
    heading(page, "Overview")
    page.get_by_role("button", name=re.compile("chief.*menu")).click()
    expect(page.locator("#user-menu")).to_contain_text("Operator")


def test_signing_out_here_and_there(campus: Laboratory, arrive: Visit) -> None:
    page = arrive("/login")
    press(page, "grace")
    heading(page, "Overview")
    page.get_by_role("button", name=re.compile("grace.*menu")).click()
    page.get_by_role("button", name="Sign out").click()
    heading(page, "Signed out")
    page.get_by_role("button", name="Sign out of Campus, too").click()
    page.get_by_role("button", name="End session").click()
    heading(page, "Sign in")
    page.goto("/data")
    heading(page, "Sign in")


def test_an_administrator_links_by_hand_and_unlinks_again(campus: Laboratory, arrive: Visit) -> None:
    page = arrive("/login?next=/profile")
    sign_in(page, campus.mail("ada"))
    heading(page, "Profile")
    page.get_by_role("link", name="See and link identities").click()
    page.get_by_label("Present password").fill(PASSWORD)
    page.get_by_role("button", name="Link", exact=True).click()
    page.get_by_role("link", name="Continue to Campus").click()
    page.get_by_placeholder("sub").fill("ada-there")
    page.get_by_role("button", name="Authorize").click()
    heading(page, "Single sign-on")
    page.get_by_role("link", name="Unlink…").click()
    page.get_by_label("Present password").fill(PASSWORD)
    page.get_by_role("button", name="Unlink").click()
    heading(page, "Single sign-on")
    expect(page.get_by_role("link", name="Unlink…")).to_have_count(0)
    expect(page.get_by_role("button", name="Link", exact=True)).to_be_visible()


def test_the_log_names_the_provider_and_no_secret(campus: Laboratory, arrive: Visit) -> None:
    page = arrive("/login")
    press(page, "grace")
    heading(page, "Overview")
    told = campus.call("GET", "/api/v1/logging?page_size=100")["data"]
    assert "User 'grace' logged in via SSO (Campus)." in {entry["content"] for entry in told}
    cookie = next(c["value"] for c in page.context.cookies() if c["name"] == "webmacs")
    for secret in (cookie, "a secret of the two", "code=", "state=", "eyJ"):
        assert secret not in campus.log


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_in_order(campus: Laboratory, arrive: Visit, width: int, scheme: str) -> None:
    page = arrive("/login", viewport={"width": width, "height": 800}, color_scheme=scheme)
    for path in ("/login?sso_error=denied", "/login"):
        page.goto(path)
        _in_order(page, f"{width}-{scheme}-login")
    press(page, "grace")
    heading(page, "Overview")
    page.goto("/profile/sso")
    _in_order(page, f"{width}-{scheme}-identities")
    page.get_by_role("link", name="Unlink…").click()
    page.wait_for_url("**/unlink")
    _in_order(page, f"{width}-{scheme}-unlink")


def _in_order(page: Page, name: str) -> None:
    if PICTURES_WANTED:
        page.screenshot(path=PICTURES / f"sso-{name}.png", full_page=True)
    assert violations(page) + overflow(page) + overlaps(page) == [], name
