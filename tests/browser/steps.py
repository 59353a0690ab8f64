"""What people do on a page, and what they wait for."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.laboratory import PASSWORD

_ANY_DIFFERS = (
    "([selector, before]) => [...document.querySelectorAll(selector)].some((e, i) => e.textContent !== before[i])"
)


def sign_in(page: Page, mail: str, password: str = PASSWORD) -> None:
    """Fill in the form of the sign-in and send it."""
    page.get_by_label("E-mail").fill(mail)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def ready(page: Page) -> None:
    """Wait until the page's scripts listen."""
    expect(page.locator("[data-live-mode]")).to_have_text("live")


def heading(page: Page, text: str | re.Pattern[str]) -> None:
    """Wait for the page with this heading."""
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def source(page: Page, name: str) -> Locator:
    """The part of the overview that shows one source."""
    return page.get_by_role("region", name=name, exact=True)


def tile(page: Page, name: str, of: str) -> Locator:
    """One tile of a source."""
    return source(page, of).get_by_role("article").filter(has=page.get_by_role("heading", name=name, exact=True))


def value(of: Locator) -> float:
    """The number that a tile shows."""
    return float(of.locator("[data-live-value]").inner_text().replace("−", "-"))


def values_move(page: Page, selector: str = "[data-live-value]") -> None:
    """Wait until any of the shown values changes."""
    before = page.locator(selector).all_text_contents()
    assert before
    page.wait_for_function(_ANY_DIFFERS, arg=[selector, before])


def row(page: Page, text: str) -> Locator:
    """The row of a table that holds this text."""
    return page.get_by_role("row").filter(has_text=text)
