"""An instance of a driver: created, live, disabled, deleted."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.laboratory import Laboratory
from tests.browser.steps import heading, row, source, values_move


def test_an_instance_is_created_live_disabled_and_deleted(lab: Laboratory, look: Visit) -> None:
    name = lab.unique("Pilot")
    page = look("/plugins")
    page.get_by_role("link", name="New instance").click()
    page.get_by_label("Simulated Device").check()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Demo mode").check()
    page.get_by_label("Configuration").fill('{"poll_interval_ms": "often"}')
    page.get_by_role("button", name="Create instance").click()
    expect(page.get_by_label("Configuration")).to_have_accessible_description(re.compile("valid integer"))
    expect(page.get_by_label("Name", exact=True)).to_have_value(name)
    expect(page.get_by_label("Simulated Device")).to_be_checked()
    page.get_by_label("Configuration").fill('{"poll_interval_ms": 500}')
    page.get_by_role("button", name="Create instance").click()
    heading(page, name)
    public_id = page.url.rpartition("/")[2]
    pressure = row(page, "pressure_diff").locator("[data-live-value]")
    expect(pressure).to_have_text(re.compile(r"\d"))  # the agent has found it
    values_move(page, "#instance-channels [data-live-value]")

    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Enabled").uncheck()
    page.get_by_role("button", name="Save instance").click()
    expect(page.locator(".banner", has_text="Disabled")).to_contain_text("safe values")
    page.goto("/")
    expect(source(page, name)).to_contain_text("This instance is disabled")
    expect(source(page, name).get_by_role("button", name="Apply").first).to_be_disabled()
    expect(source(page, name)).to_contain_text("Its plugin instance is disabled")

    page.goto(f"/plugins/{public_id}/edit")
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete instance").click()
    heading(page, "Plugins")
    expect(row(page, name)).to_have_count(0)
    page.goto(f"/channels?q={name}")
    expect(row(page, "Bed pressure drop")).to_be_visible()  # the channels keep what was measured
    for event in lab.call("GET", f"/api/v1/events?page_size=100&q={name.replace(' ', '%20')}")["data"]:
        lab.call("DELETE", f"/api/v1/events/{event['public_id']}")


def test_a_channel_is_linked_to_another_definition(lab: Laboratory, look: Visit) -> None:
    other = lab.unique("Second thermometer")
    public_id = lab.new_channel(other)
    page = look(f"/plugins/{lab.furniture['spare']}")
    before = row(page, "temp_outlet").get_by_role("combobox")
    definition = before.input_value()
    for value in (public_id, definition):
        row(page, "temp_outlet").get_by_role("combobox").select_option(value)
        row(page, "temp_outlet").get_by_role("button", name="Link").click()
        expect(row(page, "temp_outlet").get_by_role("combobox")).to_have_value(value)
        page.reload()
        expect(row(page, "temp_outlet").get_by_role("combobox")).to_have_value(value)
