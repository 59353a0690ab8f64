"""Outputs: who may set them, how they are set, and that the plant follows."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.browser.laboratory import PLANT, Laboratory, wait_until
from tests.browser.steps import source, tile, value

VALVE, PRESSURE = f"{PLANT} – Valve position", f"{PLANT} – Bed pressure drop"


@pytest.fixture
def closed(lab: Laboratory) -> Iterator[None]:
    """The valve of the plant is shut, and stands where it stood afterwards."""
    valve, pressure = lab.channel(VALVE), lab.channel(PRESSURE)
    wait_until(lambda: (lab.latest(pressure) or 0) > 0, "the plant runs")
    lab.record(valve, 0)
    wait_until(lambda: (lab.latest(pressure) or 99) < 10, "the bed has collapsed")
    yield
    lab.record(valve, 50)


def _valve(page: Page) -> Locator:
    return tile(page, "Valve position", PLANT)


@pytest.mark.usefixtures("closed")
def test_an_operator_opens_the_valve_and_the_plant_follows(lab: Laboratory, look: Visit) -> None:
    page = look("/", "oscar")
    pressure = tile(page, "Bed pressure drop", PLANT)
    before = value(pressure)
    wish = _valve(page).get_by_role("textbox")
    wish.fill("130")
    _valve(page).get_by_role("button", name="Apply").click()
    expect(source(page, PLANT)).to_contain_text("must lie between 0 and 100 %")
    assert lab.latest(lab.channel(VALVE)) == 0
    expect(wish).to_have_value("130")
    expect(_valve(page)).to_contain_text("Demo")
    wish.fill("62,5")
    expect(_valve(page)).to_contain_text("0.00 → 62.50 %")
    _valve(page).get_by_role("button", name="Apply").click()
    expect(_valve(page).locator("[data-live-value]")).to_have_text("62.50")
    expect(source(page, PLANT)).not_to_contain_text("must lie between")
    assert lab.latest(lab.channel(VALVE)) == 62.5
    expect(_valve(page).get_by_role("slider")).to_have_value("62.5")
    wait_until(lambda: value(pressure) > before + 20, "the bed pressure drop rises")


def test_the_slider_moves_by_keys_and_nothing_leaves_before_apply(lab: Laboratory, look: Visit) -> None:
    heater = lab.channel(f"{PLANT} – Heater power")
    page = look("/", "oscar")
    of = tile(page, "Heater power", PLANT)
    expect(of.locator("[data-live-value]")).to_have_text(re.compile(r"\d"))
    stood = lab.latest(heater)
    slider = of.get_by_role("slider")
    slider.focus()
    slider.press("End")
    expect(of.get_by_role("textbox")).to_have_value("100")
    expect(of).to_contain_text("→ 100.00 %")
    assert lab.latest(heater) == stood


def test_a_switch_is_switched_on_and_off_again(lab: Laboratory, look: Visit) -> None:
    name = lab.unique("Lamp")
    lamp = lab.new_channel(name, "actuator", high=1)
    page = look("/", "oscar")
    switch = page.get_by_role("switch", name=name)
    expect(switch).not_to_be_checked()
    switch.click()
    expect(switch).to_be_checked()
    assert lab.latest(lamp) == 1
    lab.record(lamp, 0)  # somebody else
    expect(switch).not_to_be_checked()
    lab.call("DELETE", f"/api/v1/events/{lamp}")


def test_a_viewer_sees_no_way_to_write_and_reads_why(lab: Laboratory, look: Visit) -> None:
    assert lab.furniture
    page = look("/", "vera")
    expect(_valve(page).get_by_role("button", name="Apply")).to_be_disabled()
    expect(_valve(page)).to_contain_text("Only operators and administrators may operate this.")
    writing = re.compile(r"^(start|new|stop|delete|edit|mark|write|save|create|rename|remove|link)\b", re.IGNORECASE)
    for path in ("/", "/channels", "/experiments", "/logs", "/plugins", "/data"):
        page.goto(path)
        for role in ("button", "link"):
            found = page.locator("main").get_by_role(role, name=writing)  # type: ignore[arg-type]  # two of the roles that it names one by one
            assert found.all_inner_texts() == [], path
    for path in (f"/experiments/{lab.furniture['running']}", f"/channels/{lab.furniture['channel']}"):
        page.goto(path)
        expect(page.locator("main").get_by_role("button", name=writing)).to_have_count(0)
    page.goto(f"/plugins/{lab.furniture['plant']}")
    expect(page.locator("main")).to_contain_text("Only for the role admin")
    page.goto("/logs")
    expect(page.locator("main")).to_contain_text("Only for the role operator and above")
    page.goto("/channels/new")
    expect(page.locator("main")).to_contain_text(re.compile("role|administrator|permission"))
