"""Second factors with a real browser and a security key of its own making."""

from typing import Any

import pyotp
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.laboratory import PASSWORD, Laboratory
from tests.browser.steps import heading, row, sign_in
from tests.browser.test_every_page import is_whole

KEY = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def site(lab: Laboratory) -> str:
    """The laboratory by a name: browsers make no passkeys for an address of numbers."""
    return f"http://localhost:{lab.port}"


def _with_key(page: Page) -> tuple[Any, str]:
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": KEY})
    return session, str(made["authenticatorId"])


def _to_factors(page: Page, site: str, mail: str) -> None:
    page.goto(f"{site}/login?next=/profile/confirm?next=/profile/second-factor")
    sign_in(page, mail)
    page.get_by_label("Present password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    heading(page, "Second factor")


def _sign_out(page: Page) -> None:
    page.get_by_role("button", name="menu").click()
    page.get_by_role("button", name="Sign out").click()
    heading(page, "Sign in")
    page.goto(
        page.url.partition("?")[0]
    )  # the stream that ends may have led here first, and would lead back to where it was


def test_a_passkey_is_made_and_signs_in_with_and_without_the_password(lab: Laboratory, visit: Visit, site: str) -> None:
    mail = lab.mail(lab.unique("Rosalind").replace(" ", ""))
    page = visit("/login", None, reduced_motion="reduce")
    session, key = _with_key(page)
    _to_factors(page, site, mail)
    is_whole(page, "factors-none")
    page.get_by_label("Name of the passkey").fill("Phone")
    page.get_by_role("button", name="Add passkey").click()
    heading(page, "Recovery codes")
    expect(page.locator("#recovery-codes li")).to_have_count(10)
    is_whole(page, "factors-codes")
    page.get_by_role("link", name="I have kept them").click()
    expect(row(page, "Phone")).to_contain_text("Never")
    is_whole(page, "factors-passkey")

    _sign_out(page)
    page.get_by_role("button", name="Sign in with a passkey").click()
    heading(page, "Overview")

    _sign_out(page)
    sign_in(page, mail)
    heading(page, "Second factor")
    is_whole(page, "login-second-passkey")
    page.get_by_role("button", name="Use a passkey").click()
    heading(page, "Overview")
    assert len(session.send("WebAuthn.getCredentials", {"authenticatorId": key})["credentials"]) == 1

    _sign_out(page)
    session.send("WebAuthn.setUserVerified", {"authenticatorId": key, "isUserVerified": False})
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.locator("[data-passkey-problem]")).to_contain_text("No passkey was used")
    is_whole(page, "login-passkey-refused")
    page.get_by_role("link", name="Sign in with e-mail and password").click()
    heading(page, "Sign in")


def test_a_device_holds_one_passkey_of_an_account(lab: Laboratory, visit: Visit, site: str) -> None:
    page = visit("/login", None, reduced_motion="reduce")
    _with_key(page)
    _to_factors(page, site, lab.mail(lab.unique("Dorothy").replace(" ", "")))
    page.get_by_label("Name of the passkey").fill("Phone")
    page.get_by_role("button", name="Add passkey").click()
    page.get_by_role("link", name="I have kept them").click()
    page.get_by_label("Name of the passkey").fill("The same phone")
    page.get_by_role("button", name="Add passkey").click()
    expect(page.locator("[data-passkey-problem]")).to_have_text("This device already holds a passkey for your account.")


def test_an_authenticator_app_is_set_up_and_asked_for_without_scripts(lab: Laboratory, visit: Visit, site: str) -> None:
    mail = lab.mail(lab.unique("Emmy").replace(" ", ""))
    page = visit("/login", None, java_script_enabled=False)
    _to_factors(page, site, mail)
    page.get_by_role("button", name="Set up authenticator app").click()
    heading(page, "Set up authenticator app")
    secret = (page.locator("[data-copy]").get_attribute("data-copy") or "").replace(" ", "")
    page.get_by_label("Code that the app shows").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Confirm").click()
    heading(page, "Recovery codes")
    code = page.locator("#recovery-codes li").first.inner_text()
    _sign_out(page)
    sign_in(page, mail)
    page.get_by_label("Code of the authenticator app").fill("000000")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("You can try 4 more times.")
    page.get_by_label("Code of the authenticator app").fill(code)
    page.get_by_role("button", name="Sign in", exact=True).click()
    heading(page, "Overview")


def test_the_pages_of_an_authenticator_app_are_whole(lab: Laboratory, visit: Visit, site: str) -> None:
    mail = lab.mail(lab.unique("Mary").replace(" ", ""))
    page = visit("/login", None, reduced_motion="reduce")
    _to_factors(page, site, mail)
    page.get_by_role("button", name="Set up authenticator app").click()
    heading(page, "Set up authenticator app")
    is_whole(page, "factors-app")
    secret = (page.locator("[data-copy]").get_attribute("data-copy") or "").replace(" ", "")
    page.get_by_label("Code that the app shows").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("link", name="I have kept them").click()
    is_whole(page, "factors-app-set")
    page.goto(f"{site}/profile")
    is_whole(page, "profile-factor")
    _sign_out(page)
    sign_in(page, mail)
    page.get_by_label("Code of the authenticator app").fill("000000")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("You can try 4 more times.")
    is_whole(page, "login-second-code")
