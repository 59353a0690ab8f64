"""Everything but charts and live values works without a script."""

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.laboratory import PLANT, Laboratory
from tests.browser.steps import heading, row, sign_in, tile
from tests.browser.test_every_page import PAGES


def test_somebody_signs_in(lab: Laboratory, visit: Visit) -> None:
    page = visit("/login?next=/experiments", None, java_script_enabled=False)
    sign_in(page, lab.mail("oscar"))
    heading(page, "Experiments")
    page.get_by_role("button", name="menu").click()
    page.get_by_role("button", name="Sign out").click()
    heading(page, "Sign in")


def test_every_page_is_readable(lab: Laboratory, visit: Visit) -> None:
    page = visit("/", java_script_enabled=False)
    for name, path in PAGES.items():
        if name in ("patterns", "reference"):  # one is for developers, the other is made of script
            continue
        page.goto(path.format(**lab.furniture))
        expect(page.locator("h1")).to_be_visible()
        expect(page.locator("main .skeleton").and_(page.locator(":visible"))).to_have_count(0)
        assert len(page.locator("main").inner_text()) > 60, name
        assert "connecting" not in page.locator("body").inner_text(), name


def test_an_experiment_is_started_and_stopped(lab: Laboratory, visit: Visit) -> None:
    name = lab.unique("Plain run")
    page = visit("/experiments/new", "oscar", java_script_enabled=False)
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Start experiment").click()
    heading(page, name)
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Stop experiment").click()
    heading(page, name)
    expect(page.locator("main")).to_contain_text("Stopped")
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete experiment").click()
    heading(page, "Experiments")
    expect(row(page, name)).to_have_count(0)


def test_an_output_is_set_and_a_wrong_value_is_explained(lab: Laboratory, visit: Visit) -> None:
    heater = lab.channel(f"{PLANT} – Heater power")
    page = visit("/", "oscar", java_script_enabled=False)
    of = tile(page, "Heater power", PLANT)
    of.get_by_role("textbox").fill("1000")
    of.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("alert")).to_contain_text("must lie between 0 and 100 %")
    page.get_by_role("link", name="Back to the overview").click()
    of.get_by_role("textbox").fill("36,5")
    of.get_by_role("button", name="Apply").click()
    heading(page, "Overview")
    expect(of.get_by_role("textbox")).to_have_value("36.5")
    assert lab.latest(heater) == 36.5
    lab.record(heater, 35)


def test_a_token_is_deleted_after_a_question(lab: Laboratory, visit: Visit) -> None:
    name = lab.unique("Plain token")
    page = visit("/profile/tokens", "oscar", java_script_enabled=False)
    page.get_by_label("What is it for?").fill(name)
    page.get_by_role("button", name="Create token").click()
    row(page, name).get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    heading(page, "API tokens")
    expect(row(page, name)).to_have_count(0)


def test_a_filter_is_applied_by_its_button(lab: Laboratory, visit: Visit) -> None:
    assert lab.url
    page = visit("/channels", "vera", java_script_enabled=False)
    page.get_by_label("Search").fill("pressure drop")
    page.get_by_role("button", name="Apply").click()
    expect(row(page, f"{PLANT} – Bed pressure drop")).to_be_visible()
    expect(row(page, "CPU usage")).to_have_count(0)
    page.get_by_role("link", name="Clear").click()
    expect(row(page, "CPU usage")).to_be_visible()
