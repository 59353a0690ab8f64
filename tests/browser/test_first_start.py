"""The first minutes, and the door: claim, live values, sign in and out."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.laboratory import COMPUTER, PLANT, Laboratory
from tests.browser.steps import heading, sign_in, source, tile, values_move


@pytest.fixture
def unclaimed(tmp_path: Path) -> Iterator[Laboratory]:
    """A WebMACS that nobody owns yet."""
    nobody = dict.fromkeys(("INITIAL_ADMIN_EMAIL", "INITIAL_ADMIN_USERNAME", "INITIAL_ADMIN_PASSWORD"), "")
    laboratory = Laboratory(tmp_path / "data", **nobody)
    try:
        laboratory.start()
        yield laboratory
    finally:
        laboratory.end()


def test_the_claim_link_leads_to_moving_values_of_this_computer(unclaimed: Laboratory, visit: Visit) -> None:
    link = re.search(r"(http\S+/claim)#(\S+)", unclaimed.log)
    assert link, unclaimed.log
    page = visit("/", None, at=unclaimed)
    heading(page, "Take over this installation")  # wherever one arrives
    page.goto(link[0])
    code = page.get_by_label("Claim code")
    expect(code).to_have_value(link[2])
    assert urlsplit(page.url).fragment == ""  # gone from the address, so that it is not shared by mistake
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("E-mail").fill("ada@lab.example")
    page.get_by_label("Password").fill("a long enough password")
    code.fill("AAAA-BBBB-CCCC")
    page.get_by_role("button", name="Create administrator").click()
    expect(page.locator("#claim-form")).to_contain_text("This code is not valid")
    expect(page.get_by_label("Your name")).to_have_value("Ada")
    code.fill(link[2])
    page.get_by_label("Password").fill("a long enough password")
    page.get_by_role("button", name="Create administrator").click()
    heading(page, "Overview")
    expect(tile(page, "Memory usage", COMPUTER).locator("[data-live-value]")).to_have_text(re.compile(r"\d"))
    expect(page.locator("[data-live-mode]")).to_have_text("live")
    values_move(page)
    expect(source(page, COMPUTER)).to_contain_text("Connected")
    page.goto("/claim")
    expect(page).not_to_have_url(re.compile("claim"))  # it works once


def test_a_wrong_password_says_so_and_keeps_the_address(lab: Laboratory, visit: Visit) -> None:
    page = visit("/data?page_size=20", None)
    heading(page, "Sign in")
    sign_in(page, lab.mail("ada"), "not the password")
    expect(page.get_by_role("alert")).to_have_text("Invalid email or password.")
    expect(page.get_by_label("E-mail")).to_have_value(lab.mail("ada"))
    sign_in(page, lab.mail("ada"))
    expect(page).to_have_url(re.compile(r"/data\?page_size=20$"))  # where one wanted to go


def test_the_sign_in_never_leads_to_another_site(lab: Laboratory, visit: Visit) -> None:
    page = visit("/login?next=//evil.example/", None)
    sign_in(page, lab.mail("oscar"))
    heading(page, "Overview")
    for target in ("https://evil.example/", "//evil.example/", "/\\evil.example/", "javascript:1", "/%09/evil.example"):
        page.goto(f"/login?next={target}")  # signed in already, one is sent on at once
        heading(page, "Overview")
        assert page.url.startswith(lab.url), target


def test_signing_out_ends_the_session_and_back_shows_nothing(lab: Laboratory, visit: Visit) -> None:
    page = visit("/login", None)
    sign_in(page, lab.mail("oscar"))
    heading(page, "Overview")
    page.get_by_role("button", name=re.compile("oscar.*menu")).click()
    page.get_by_role("button", name="Sign out").click()
    heading(page, "Sign in")
    page.go_back()
    heading(page, "Sign in")


def test_the_overview_shows_the_plant_and_says_that_it_is_a_demo(look: Visit) -> None:
    page = look("/", "vera")
    expect(tile(page, "Bed pressure drop", PLANT)).to_contain_text("Demo")
    expect(tile(page, "Bed pressure drop", PLANT).locator("[data-live-age]")).to_have_text(re.compile(r"now|\d s"))
    expect(page.locator("[data-live-chart] canvas").first).to_be_visible()
