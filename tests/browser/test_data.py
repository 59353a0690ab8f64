"""The browser of recorded values, and the log book."""

import re
from datetime import UTC, datetime, timedelta

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.laboratory import Laboratory
from tests.browser.steps import ready, row


def test_recorded_values_are_filtered_and_paged_and_back_goes_back(lab: Laboratory, look: Visit) -> None:
    name, run = lab.unique("Balance"), lab.unique("Weighing")
    channel = lab.new_channel(name, high=500)
    lab.record(channel, *range(120), ends=datetime.now(UTC) - timedelta(hours=1))
    experiment = lab.start_experiment(run, [channel])
    lab.record(channel, 300, 301, ends=datetime.now(UTC))
    lab.stop_experiment(experiment)
    page = look("/data", "vera")
    rows = page.locator("#data-table tbody tr")
    ready(page)
    page.get_by_label("Channel").select_option(label=name)
    expect(page).to_have_url(re.compile(channel))
    expect(page.locator("#data-table")).to_contain_text("122 values")
    expect(rows).to_have_count(50)
    newest = rows.first.locator(".number")
    expect(newest).to_have_text("301")
    page.get_by_role("link", name="Older").click()
    expect(newest).to_have_text("71")
    page.get_by_role("link", name="Older").click()
    expect(rows).to_have_count(22)
    expect(page.get_by_role("link", name="Older")).to_have_count(0)
    page.go_back()
    expect(newest).to_have_text("71")
    page.go_back()
    expect(newest).to_have_text("301")
    ready(page)
    page.get_by_label("Experiment").select_option(label=run)
    expect(page.locator("#data-table")).to_contain_text(re.compile(r"\b[12] values"))  # one may be older than the start
    expect(rows.first).to_contain_text(run)
    page.reload()
    expect(page.get_by_label("Experiment")).to_have_value(experiment)
    expect(rows.first).to_contain_text(run)


def test_a_stretch_of_time_narrows_the_data(lab: Laboratory, look: Visit) -> None:
    name = lab.unique("Scale")
    lab.record(lab.new_channel(name), *range(10), ends=datetime(2026, 3, 1, 12, 0, tzinfo=UTC), step=60)
    page = look("/data", "vera")
    ready(page)
    page.get_by_label("Channel").select_option(label=name)
    page.get_by_label("From (UTC)").fill("2026-03-01T11:55:00")
    expect(page.locator("#data-table")).to_contain_text("6 values")
    page.get_by_label("To (UTC)").fill("2026-03-01T11:57:00")
    expect(page.locator("#data-table")).to_contain_text("3 values")
    page.get_by_role("link", name="Clear", exact=True).click()
    expect(page).to_have_url(re.compile("/data$"))


def test_log_entries_are_written_filtered_and_ticked_off(lab: Laboratory, look: Visit) -> None:
    text, other = lab.unique("Nozzle exchanged"), lab.unique("Fan repaired")
    page = look("/logs", "oscar")
    for entry in (text, other):
        page.get_by_label("New entry").fill(entry)
        page.get_by_role("region", name="Write an entry").get_by_label("Type").select_option("warning")
        page.get_by_role("button", name="Write entry").click()
        expect(row(page, entry)).to_contain_text("Warning")
    row(page, text).get_by_role("button", name="Mark read").click()
    expect(row(page, text)).to_contain_text("Read")
    expect(row(page, other).get_by_role("button", name="Mark read")).to_be_visible()
    ready(page)
    page.get_by_label("Search").fill(other)
    expect(page.locator("#logs-table tbody tr")).to_have_count(1)
    page.goto("/logs?status_type=unread")
    page.get_by_role("button", name="Mark all read").click()
    expect(page.get_by_role("button", name="Mark all read")).to_have_count(0)
    expect(page.locator("main")).to_contain_text("0 unread")
