"""The pages of imports, as a person without scripts meets them."""

import io

import pytest

from tests.make import NOON
from webmacs.features.imports import jobs

TEXT = "time,value\n2026-11-20T12:00:00,1.5\nyesterday,2\n"


def _upload(browser, text, name="history.csv"):
    form = browser.visit("/imports").form("/imports")
    assert form.tag["enctype"] == "multipart/form-data"
    data = {"csrf_token": browser.csrf, "file": (io.BytesIO(text.encode()), name)}
    return browser.send("POST", "/imports", data=data, content_type="multipart/form-data")


def _carry_out(app, address):
    with app.app_context():
        jobs.carry_out(address.rpartition("/")[2])


def test_a_file_is_uploaded_mapped_checked_and_recorded(app, lab, oscar, browser_as, client_as):
    event, browser = lab.event(oscar, name="Inlet"), browser_as(oscar)
    assert "No import yet" in browser.visit("/imports").text
    sent = _upload(browser, TEXT)
    assert sent.status_code == 303
    address = sent.headers["Location"]
    page = browser.visit(address)
    assert "yesterday" in page.text
    form = page.form(f"{address}/mapping")
    assert page.soup.select_one("[name=timestamp_column] option[selected]")["value"] == "time"
    assert page.soup.select_one("[name=value_column] option[selected]")["value"] == "value"
    checked = form.submit(event_public_id=event.public_id, channel_column="", check="1")
    assert (checked.status_code, checked.headers["Location"]) == (303, address)
    waiting = browser.visit(address)
    assert "nothing is recorded" in waiting.text
    assert waiting.soup.select_one("#import-state")["hx-trigger"] == "every 2s"
    _carry_out(app, address)
    page = browser.visit(address)
    assert "Some values cannot be recorded" in page.text
    assert "The time cannot be read" in page.text
    assert client_as(oscar).get("/api/v1/datapoints").json["total"] == 0
    assert page.form(f"{address}/start").submit().status_code == 303
    _carry_out(app, address)
    assert "Done" in browser.visit(address).text
    assert [p["value"] for p in client_as(oscar).get("/api/v1/datapoints").json["data"]] == [1.5]
    assert "history.csv" in browser.visit("/imports").text


def test_a_wide_file_gets_a_channel_for_each_column(app, lab, oscar, browser_as, client_as):
    first, second, browser = lab.event(oscar, name="T 1"), lab.event(oscar), browser_as(oscar)
    address = _upload(browser, "when,T 1,other\n2026-11-20T12:00:00,1,2\n").headers["Location"]
    page = browser.visit(address)
    assert page.soup.select_one("#channel-1 option[selected]")["value"] == first.public_id, "found by its name"
    fields = {"column": ["when", "T 1", "other"], "channel-1": first.public_id, "channel-2": second.public_id}
    fields |= {"shape": "wide", "timestamp_column": "when", "timestamp_format": "iso", "timezone": "UTC"}
    browser.post(f"{address}/mapping", {**fields, "delimiter": ",", "decimal": ".", "check": "1"})
    _carry_out(app, address)
    page = browser.visit(address)
    assert "Everything fits" in page.text
    page.form(f"{address}/start").submit()
    _carry_out(app, address)
    latest = client_as(oscar).get("/api/v1/datapoints/latest").json
    assert {p["event_public_id"]: p["value"] for p in latest} == {first.public_id: 1.0, second.public_id: 2.0}


def test_a_mapping_that_does_not_fit_is_refused_on_the_page_and_kept(lab, oscar, browser_as):
    lab.event(oscar)
    browser = browser_as(oscar)
    address = _upload(browser, TEXT).headers["Location"]
    form = browser.visit(address).form(f"{address}/mapping")
    page = browser.check(form.submit(timezone="Moon", event_public_id="", channel_column=""), address, 422)
    assert "This is not a time zone such as" in page.text
    assert page.soup.select_one("[name=timezone]")["value"] == "Moon"
    page = browser.check(form.submit(event_public_id="", channel_column="", check="1"), address, 422)
    assert "Choose either one channel for all rows or the column that names the channel." in page.text


def test_the_mapping_is_kept_when_the_file_is_only_to_be_looked_at_again(lab, oscar, browser_as):
    event, browser = lab.event(oscar), browser_as(oscar)
    address = _upload(browser, "a;b\n1;2\n").headers["Location"]
    form = browser.visit(address).form(f"{address}/mapping")
    form.submit(event_public_id=event.public_id, value_column="b", timestamp_format="us")
    page = browser.visit(address)
    assert "Uploaded" in page.text
    assert page.soup.select_one("[name=value_column] option[selected]")["value"] == "b"
    assert page.soup.select_one("[name=timestamp_format] option[selected]")["value"] == "us"


@pytest.mark.parametrize("text", ["", "\n"])
def test_a_file_of_nothing_is_refused_in_words(lab, oscar, browser_as, text):
    browser = browser_as(oscar)
    answer = _upload(browser, text)
    if answer.status_code == 303:
        assert "has no header" in browser.visit(answer.headers["Location"]).text
    else:
        assert "The file is empty." in browser.check(answer, "/imports", 422).text


def test_an_import_is_cancelled_and_deleted(app, lab, oscar, browser_as):
    event, browser = lab.event(oscar), browser_as(oscar)
    address = _upload(browser, TEXT).headers["Location"]
    form = browser.visit(address).form(f"{address}/mapping")
    form.submit(event_public_id=event.public_id, channel_column="", check="1")
    assert browser.visit(address).form(f"{address}/cancel").submit().status_code == 303
    page = browser.visit(address)
    assert "Cancelled" in page.text
    gone = page.form(f"{address}/delete").submit()
    assert (gone.status_code, gone.headers["Location"]) == (303, "/imports")
    browser.visit(address, 404)


def test_viewers_find_no_way_to_imports_and_operators_do(lab, vera, oscar, browser_as):
    lab.record(oscar, lab.event(oscar), 1, at=NOON)
    assert "/imports" not in browser_as(vera).visit("/exports").links()
    assert "/imports" in browser_as(oscar).visit("/exports").links()
    browser_as(vera).visit("/imports", 403)
