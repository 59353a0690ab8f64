"""One's own account: name, password, tokens, sessions."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.laboratory import PASSWORD, Laboratory
from tests.browser.steps import heading, row, sign_in


def test_somebody_changes_their_name_and_password(lab: Laboratory, visit: Visit) -> None:
    name = lab.unique("Grace").replace(" ", "")
    mail = lab.mail(name)
    page = visit("/login?next=/profile", None)
    sign_in(page, mail)
    page.get_by_label("Name", exact=True).fill("Grace H.")
    page.get_by_role("button", name="Save name").click()
    expect(page.get_by_role("button", name=re.compile("Grace H.*menu"))).to_be_visible()

    page.get_by_label("Present password").fill("not my password")
    page.get_by_label("New password").fill("another long password")
    page.get_by_role("button", name="Change password").click()
    present = page.get_by_label("Present password")
    expect(present).to_have_attribute("aria-invalid", "true")
    present.fill(PASSWORD)
    page.get_by_label("New password").fill("another long password")
    page.get_by_role("button", name="Change password").click()
    heading(page, "Profile")
    expect(page.get_by_label("Present password")).not_to_have_attribute("aria-invalid", "true")

    elsewhere = visit("/login", None)
    sign_in(elsewhere, mail)
    expect(elsewhere.get_by_role("alert")).to_have_text("Invalid email or password.")
    sign_in(elsewhere, mail, "another long password")
    heading(elsewhere, "Overview")


def test_a_token_is_shown_once_and_opens_the_api(lab: Laboratory, look: Visit) -> None:
    name = lab.unique("Notebook")
    page = look("/profile/tokens", "oscar")
    page.get_by_label("What is it for?").fill(name)
    page.get_by_role("button", name="Create token").click()
    shown = page.get_by_role("status").filter(has_text="Your new API token")
    secret = shown.locator("[data-copy]").get_attribute("data-copy") or ""
    assert secret.startswith("wm_")
    expect(shown).to_contain_text(secret)
    assert lab.send("GET", "/api/v1/auth/me", token=secret).json["username"] == "oscar"
    page.goto("/profile/tokens")
    assert secret not in page.content()
    row(page, name).get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row(page, name)).to_have_count(0)
    assert lab.send("GET", "/api/v1/auth/me", token=secret).status == 401


def test_another_session_is_ended_from_here(lab: Laboratory, visit: Visit) -> None:
    name = lab.unique("Lise").replace(" ", "")
    here, there = visit("/login?next=/profile", None), visit("/login", None, user_agent="A forgotten tablet")
    sign_in(there, lab.mail(name))
    heading(there, "Overview")
    expect(there.locator("[data-live-mode]")).to_have_text("live")
    sign_in(here, lab.mail(name))
    expect(row(here, "HeadlessChrome")).to_contain_text("This one")
    row(here, "A forgotten tablet").get_by_role("button", name="End").click()
    expect(row(here, "A forgotten tablet")).to_have_count(0)
    heading(there, "Sign in")  # without a click there
