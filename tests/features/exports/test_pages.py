"""The pages of exports, as a person without scripts meets them."""

import csv
import io

from tests.make import NOON
from webmacs.features.exports import jobs


def _form(browser, path="/exports/new"):
    return browser.visit(path).form("/exports")


def test_a_file_is_asked_for_waits_and_is_downloaded(app, lab, vera, ada, browser_as):
    event = lab.event(ada, name="Inlet")
    lab.record(ada, event, 1, 2, at=NOON)
    browser = browser_as(vera)
    assert "No export yet" in browser.visit("/exports").text
    sent = _form(browser).submit(format="csv", event_public_ids=event.public_id, stop="2026-11-20T12:00:00")
    assert (sent.status_code, sent.headers["Location"]) == (303, "/exports")
    page = browser.visit("/exports")
    assert "Waiting" in page.text
    assert "1 channel" in page.text
    assert page.soup.select_one("#exports-table")["hx-trigger"] == "every 2s"
    public_id = page.soup.select_one("form[action$='/cancel']")["action"].split("/")[2]
    with app.app_context():
        jobs.write(public_id)
    page = browser.visit("/exports")
    assert "hx-trigger" not in page.soup.select_one("#exports-table").attrs
    link = page.soup.select_one("a[href$='/file']")["href"]
    rows = list(csv.DictReader(io.StringIO(browser.send("GET", link).get_data(as_text=True), newline="")))
    assert [row["value"] for row in rows] == ["1.0"]


def test_what_runs_is_shown_with_its_progress_and_can_be_cancelled(lab, vera, browser_as):
    made, browser = lab.export(vera, written=False), browser_as(vera)
    with lab.arrival():
        task = jobs.operations.claim(made.public_id)
        jobs.operations.progress(task, rows_done=1_000, rows_total=4_000)
    page = browser.visit("/exports")
    bar = page.soup.select_one("progress")
    assert (bar["value"], bar["max"]) == ("25", "100")
    assert "1,000 of 4,000 rows" in page.text
    assert page.form(f"/exports/{made.public_id}/cancel").submit().status_code == 303
    assert "Cancelled" in browser.visit("/exports").text


def test_an_export_is_deleted_after_a_question(lab, vera, browser_as):
    made, browser = lab.export(vera), browser_as(vera)
    page = browser.visit("/exports")
    assert page.form(f"/exports/{made.public_id}/delete").submit().status_code == 303
    assert "No export yet" in browser.visit("/exports").text


def test_what_does_not_fit_is_said_and_what_was_typed_stays(lab, oscar, browser_as):
    lab.event(oscar)
    browser = browser_as(oscar)
    refused = _form(browser).submit(start="2026-11-20T12:00:00", stop="2026-11-20T11:00:00")
    page = browser.check(refused, "/exports", 422)
    assert "The end must not be before the start." in page.text
    assert page.soup.select_one("[name=start]")["value"] == "2026-11-20T12:00:00"
    page = browser.check(_form(browser).submit(start="yesterday"), "/exports", 422)
    assert page.soup.select_one("[name=start]")["aria-invalid"] == "true"


def test_the_address_fills_in_the_form(lab, oscar, browser_as):
    event, run = lab.event(oscar), lab.experiment(oscar)
    query = f"event_public_ids={event.public_id}&experiment_public_id={run.public_id}&format=parquet"
    page = browser_as(oscar).visit(f"/exports/new?{query}")
    assert page.soup.select_one(f"input[value='{event.public_id}']").has_attr("checked")
    assert page.soup.select_one(f"option[value='{run.public_id}']").has_attr("selected")
    assert page.soup.select_one("input[value=parquet]").has_attr("checked")
    assert not page.soup.select_one("[name=experiment_public_id]").has_attr("required"), "any time is a choice"


def test_a_failed_export_says_why(lab, oscar, browser_as, monkeypatch):
    monkeypatch.setattr(jobs.files, "SPARE", 1 << 60)
    lab.export(oscar)
    page = browser_as(oscar).visit("/exports")
    assert "Failed" in page.text
    assert "not enough space" in page.text


def test_without_a_redis_the_page_says_what_is_missing(app, oscar, browser_as, monkeypatch):
    monkeypatch.setitem(app.config, "REDIS_URL", None)
    browser = browser_as(oscar)
    page = browser.check(_form(browser).submit(format="csv"), "/exports", 503)
    assert "REDIS_URL" in page.text
