"""A file of recorded values from the form to the disk, and a file of history from the disk to the channel."""

import csv
import hashlib
import re

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.laboratory import Laboratory
from tests.browser.steps import heading, ready, row


def test_a_file_is_written_while_one_watches_and_is_what_it_says(lab: Laboratory, look: Visit) -> None:
    name = lab.unique("Exported")
    lab.record(lab.new_channel(name), *(n / 4 for n in range(1200)))
    page = look("/exports", "vera")
    page.get_by_role("link", name=re.compile("New export|Create the first one")).first.click()
    page.get_by_label(name).check()
    page.get_by_role("button", name="Create export").click()
    heading(page, "Exports")
    ready(page)
    newest = page.locator("#exports-table tbody tr").first
    expect(newest).to_contain_text("1 channel")
    expect(newest).to_contain_text("Done", timeout=30_000)
    expect(newest).to_contain_text("1,200")
    with page.expect_download() as coming:
        newest.get_by_role("link", name="Download").click()
    data = coming.value.path().read_bytes()
    assert coming.value.suggested_filename.endswith(".csv")
    rows = list(csv.DictReader(data.decode().splitlines()))
    assert [float(line["value"]) for line in rows] == [n / 4 for n in range(1200)]
    expect(newest).to_contain_text(hashlib.sha256(data).hexdigest())
    file = newest.get_by_role("rowheader").inner_text().split()[0]
    newest.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row(page, file)).to_have_count(0)


def test_a_file_of_history_is_uploaded_checked_and_recorded_while_one_watches(lab: Laboratory, look: Visit) -> None:
    name = lab.unique("Imported")
    channel = lab.new_channel(name)
    lines = [f"2026-01-01T00:{n // 60:02d}:{n % 60:02d},{n}" for n in range(600)]
    file = {"name": "history.csv", "mimeType": "text/csv", "buffer": "\n".join(["time,value", *lines, "x,1"]).encode()}
    page = look("/exports", "oscar")
    page.get_by_role("link", name="Imports").click()
    page.get_by_label("File", exact=True).set_input_files(file)  # type: ignore[arg-type]  # it takes a dictionary as well as its own type
    page.get_by_role("button", name="Upload").click()
    heading(page, "history.csv")
    page.get_by_label("Channel", exact=True).select_option(label=name)
    page.get_by_role("button", name="Check the file").click()
    state = page.locator("#import-state")
    expect(state).to_contain_text("Some values cannot be recorded", timeout=30_000)
    expect(state.get_by_role("row").filter(has_text="602")).to_contain_text("The time cannot be read")
    state.get_by_role("button", name="Record 600 values").click()
    heading(page, "history.csv")
    ready(page)
    expect(state).to_contain_text("Done", timeout=30_000)
    found = lab.call("GET", f"/api/v1/datapoints?event_public_id={channel}")
    assert (found["total"], found["data"][0]["value"]) == (600, 599.0)
