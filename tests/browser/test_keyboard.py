"""The keyboard reaches and does what the pointer does."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.steps import heading, ready

_FOCUS = """() => {
  const element = document.activeElement;
  const box = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  const label = element.closest("label");
  const drawn = [style, label && getComputedStyle(label), getComputedStyle(element.parentElement)].filter(Boolean);
  return {
    name: `${element.localName}.${element.className}`,
    inside: element !== document.body && box.bottom > 0 && box.top < innerHeight && box.right > 0,
    ringed: drawn.some((s) => (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2) || s.boxShadow !== "none"),
  };
}"""


@pytest.mark.parametrize("path", ["/", "/data", "/logs", "/profile"])
def test_tab_reaches_the_skip_link_first_and_focus_is_always_seen(path: str, look: Visit) -> None:
    page = look(path)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    for _ in range(25):
        focus = page.evaluate(_FOCUS)
        if focus["name"] == "body.":  # once round
            break
        assert focus["inside"], focus
        assert focus["ringed"], focus
        page.keyboard.press("Tab")
    skip.focus()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def _press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_letters_go_to_pages_and_rows(look: Visit) -> None:
    page = look("/", "vera")
    ready(page)
    _press(page, "g", "e")
    heading(page, "Experiments")
    ready(page)
    _press(page, "g", "c")
    heading(page, "Channels")
    ready(page)
    _press(page, "/")
    expect(page.get_by_label("Search")).to_be_focused()
    _press(page, "g", "e")  # in a field they are letters
    expect(page.get_by_label("Search")).to_have_value("ge")
    page.goto("/channels")
    ready(page)
    _press(page, "j", "j", "k", "j", "Enter")
    heading(page, "This computer – Memory usage")  # the second row


def test_the_help_opens_closes_and_returns_the_focus(look: Visit) -> None:
    page = look("/experiments", "vera")
    ready(page)
    before = page.get_by_label("State")
    before.focus()
    page.keyboard.press("Shift+Tab")
    page.get_by_role("link", name="Overview").first.focus()
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(help_).to_be_visible()
    page.keyboard.press("Escape")
    expect(help_).to_be_hidden()
    expect(page.get_by_role("link", name="Overview").first).to_be_focused()


def test_single_letters_can_be_switched_off(visit: Visit) -> None:
    page = visit("/", "vera")
    ready(page)
    page.keyboard.press("?")
    page.get_by_label("Use single-key shortcuts").uncheck()
    page.keyboard.press("Escape")
    _press(page, "?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_hidden()
    _press(page, "g", "e")
    heading(page, "Overview")


def test_a_dialog_keeps_the_focus_and_the_drawer_of_a_phone_closes(visit: Visit) -> None:
    page = visit("/", "vera", viewport={"width": 360, "height": 780})
    page.get_by_role("button", name="More").click()
    drawer = page.get_by_role("navigation", name="Main")
    expect(drawer.get_by_role("link", name="Plugins")).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    page.get_by_role("button", name="More").click()
    drawer.get_by_role("link", name="Plugins").click()
    heading(page, "Plugins")


def test_the_theme_is_chosen_and_kept(visit: Visit) -> None:
    page = visit("/", "vera", color_scheme="light")
    page.get_by_role("button", name="menu").click()
    page.get_by_text("Dark", exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.goto("/data")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("body")).to_have_css("background-color", "rgb(27, 30, 34)")


def test_the_live_chart_is_read_by_arrow_keys(look: Visit) -> None:
    page = look("/", "vera")
    panels = page.get_by_role("group", name="left and right arrow keys")
    expect(panels.locator("canvas").first).to_be_visible()
    panels.focus()
    _press(page, "ArrowLeft", "ArrowLeft")
    expect(page.locator("[data-chart-when]")).to_contain_text("At ")
    expect(page.locator("[data-chart-spoken]")).to_contain_text("Reactor temperature")
    page.get_by_role("button", name="1 h").click()
    expect(page.get_by_role("button", name="1 h")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Back to live")).to_be_visible()
