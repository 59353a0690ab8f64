"""An experiment from its start to the spreadsheet."""

import csv
import re

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.laboratory import Laboratory, wait_until
from tests.browser.steps import heading, ready, row


def test_an_experiment_is_started_stopped_charted_and_downloaded(lab: Laboratory, look: Visit) -> None:
    name = lab.unique("Journey")
    page = look("/", "oscar")
    page.get_by_role("link", name="Start experiment").click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Start experiment").click()
    heading(page, name)
    public_id = page.url.rpartition("/")[2]
    wait_until(lambda: lab.values_of(public_id) > 30, "the experiment has values")

    page.goto("/")
    banner = page.locator(".banner").filter(has_text=name)
    expect(banner).to_contain_text("is running")
    banner.get_by_role("button", name="Stop").click()
    question = page.get_by_role("dialog", name=f"Stop “{name}”?")
    question.get_by_role("button", name="Cancel").click()
    expect(question).to_be_hidden()
    banner.get_by_role("button", name="Stop").click()
    question.get_by_role("button", name="Stop experiment").click()
    heading(page, name)
    expect(page.locator("main")).to_contain_text("Stopped")

    figure = page.locator("[data-figure]")
    figure.scroll_into_view_if_needed()
    expect(figure.locator(".js-plotly-plot")).to_be_visible()
    assert figure.locator(".scatterlayer .trace").count() >= 8
    legend = page.get_by_role("group", name="Lines shown").get_by_role("button").first
    before = figure.locator(".scatterlayer .trace").count()
    legend.click()
    expect(legend).to_have_attribute("aria-pressed", "false")
    expect(figure.locator(".scatterlayer .trace")).to_have_count(before - 1)

    with page.expect_download() as coming:
        page.get_by_role("link", name="Download CSV").click()
    download = coming.value
    assert download.suggested_filename.endswith(".csv")
    with download.path().open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == lab.values_of(public_id)
    assert {"timestamp", "value"} <= set(rows[0])
    assert any("Reactor temperature" in " ".join(line.values()) for line in rows)
    assert all(float(line["value"]) == float(line["value"]) for line in rows)


def test_a_name_that_is_taken_is_refused_at_the_field_and_kept(lab: Laboratory, look: Visit) -> None:
    name = lab.unique("Taken")
    lab.stop_experiment(lab.start_experiment(name, [lab.channel("This computer – CPU usage")]))
    page = look("/experiments/new", "oscar")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Start experiment").click()
    field = page.get_by_label("Name")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_value(name)
    expect(field).to_have_accessible_description(re.compile("already|taken|exists"))
    expect(page).to_have_url(re.compile("/experiments/new$"))


def test_an_experiment_is_found_renamed_and_deleted(lab: Laboratory, look: Visit) -> None:
    name, later = lab.unique("Findable"), lab.unique("Renamed")
    lab.stop_experiment(lab.start_experiment(name, [lab.channel("This computer – CPU usage")]))
    page = look("/experiments", "oscar")
    ready(page)
    page.get_by_label("Search").press_sequentially("findab")
    expect(page).to_have_url(re.compile("q=findab"))
    expect(page.locator("#experiments-table tbody tr")).to_have_count(1)
    row(page, name).get_by_role("link", name=name, exact=True).click()
    page.get_by_label("Name").fill(later)
    page.get_by_role("button", name="Rename").click()
    heading(page, later)
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete experiment").click()
    heading(page, "Experiments")
    expect(row(page, later)).to_have_count(0)
