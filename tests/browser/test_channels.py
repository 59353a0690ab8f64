"""A channel from its definition to its deletion."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.laboratory import Laboratory
from tests.browser.steps import heading, ready, row


def test_a_channel_is_defined_mended_changed_and_deleted_by_its_name(lab: Laboratory, look: Visit) -> None:
    name = lab.unique("Oxygen")
    page = look("/channels")
    page.get_by_role("link", name="New channel").click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Unit").fill("%")
    page.get_by_label("Lowest value").fill("25")
    page.get_by_label("Highest value").fill("5")
    page.get_by_role("button", name="Define channel").click()
    expect(page.get_by_role("alert")).to_contain_text("greater")
    expect(page.get_by_label("Name")).to_have_value(name)
    page.get_by_label("Lowest value").fill("0")
    page.get_by_label("Highest value").fill("25")
    page.get_by_role("button", name="Define channel").click()
    heading(page, name)
    expect(page.locator("main")).to_contain_text("0 to 25")

    lab.record(page.url.rpartition("/")[2], 20.8, 20.9)
    expect(page.locator("[data-chart-legend]")).to_contain_text("20.90")  # live, without a reload

    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_label("Highest value")).to_have_value(re.compile("^25"))
    page.get_by_label("Highest value").fill("30")
    page.get_by_role("button", name="Save channel").click()
    expect(page.locator("main")).to_contain_text("0 to 30")

    page.get_by_role("link", name="Edit").click()
    page.get_by_role("link", name="Delete…").click()
    page.get_by_label("Type the channel's name").fill("Oxygen")
    page.get_by_role("button", name="Delete channel and data").click()
    expect(page.get_by_label("Type the channel's name")).to_have_accessible_description(
        re.compile("not the channel's name")
    )
    page.get_by_label("Type the channel's name").fill(name)
    page.get_by_role("button", name="Delete channel and data").click()
    heading(page, "Channels")
    page.goto(f"/channels?q={name}")
    expect(page.locator("main")).to_contain_text("No channel matches")


def test_the_list_of_channels_is_filtered_while_one_types(look: Visit) -> None:
    page = look("/channels", "vera")
    ready(page)
    page.get_by_label("Search").press_sequentially("pressure")
    expect(page.locator("#channels-table tbody tr")).to_have_count(2)
    page.get_by_label("Type").select_option("actuator")
    expect(page.locator("#channels-table")).to_contain_text("No channel matches")
    page.go_back()
    expect(row(page, "Bed pressure drop")).to_be_visible()
    expect(page.get_by_label("Search")).to_have_value("pressure")
