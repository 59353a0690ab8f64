"""The overview and the browser of recorded values."""

from datetime import timedelta

import pytest

from tests.make import NOON


def test_the_overview_of_a_new_installation_says_what_to_do(ada, browser_as):
    page = browser_as(ada).visit("/")
    assert page.soup.select("a[href='/plugins/new'], a[href='/channels/new'], a[href='/plugins']")


def test_the_overview_shows_channels_with_their_values_and_ages(lab, oscar, vera, browser_as):
    event = lab.event(oscar, name="Bed temperature", unit="°C", min_value=0, max_value=200)
    silent = lab.event(oscar, name="Silent sensor")
    lab.record(oscar, event, 81.5, at=NOON)
    page = browser_as(vera).visit("/")
    value = page.soup.select_one(f'[data-live-value="{event.public_id}"]')
    assert value is not None
    assert value.get_text(strip=True) == "81.5"
    card = page.soup.select_one(f'[data-live-card="{event.public_id}"]')
    assert card is not None
    assert card["data-time"] == "2026-11-20T12:00:00Z"
    assert page.soup.select_one(f'[data-live-value="{silent.public_id}"]').get_text(strip=True) == "—"


def test_the_overview_shows_the_running_experiments_only(lab, oscar, browser_as):
    lab.experiment(oscar, "Drying run")
    lab.stop(oscar, lab.experiment(oscar, "Finished run"))
    text = browser_as(oscar).visit("/").text
    assert "Drying run" in text
    assert "Finished run" not in text


def test_a_viewer_sees_outputs_and_cannot_operate_them(lab, oscar, vera, browser_as):
    event = lab.event(oscar, type="actuator", name="Heater")
    page = browser_as(vera).visit("/")
    assert "Heater" in page.text
    assert not [form for form in page.forms() if event.public_id in form.action and form.is_offered]


def _rows(page):
    return [row.get_text(" ", strip=True) for row in page.soup.select("#data-table tbody tr")]


@pytest.fixture
def data(lab, oscar):
    """Two channels, one run, four values."""
    one, two = lab.event(oscar, name="Inlet"), lab.event(oscar, name="Outlet")
    run = lab.experiment(oscar, "Run 07", started=NOON + timedelta(seconds=1), stopped=NOON + timedelta(hours=1))
    lab.record(oscar, one, 1, 2, 3, at=NOON)
    lab.record(oscar, two, 9, at=NOON + timedelta(days=1))
    return one, two, run


def test_data_shows_every_value_newest_first_with_its_experiment(data, oscar, browser_as):
    page = browser_as(oscar).visit("/data")
    rows = _rows(page)
    assert len(rows) == 4
    assert "Outlet" in rows[0]
    assert ["Run 07" in row for row in rows] == [False, True, True, False]
    assert "4 values" in page.text


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("event_public_id={one}", 3),
        ("event_public_id={two}", 1),
        ("experiment_public_id={run}", 2),
        ("experiment_public_id={run}&event_public_id={two}", 0),
        ("start=2026-11-20T12:00:01&stop=2026-11-20T12:00:01", 1),
        ("start=2026-11-21T00:00", 1),
        ("stop=2026-11-20T12:00:00", 1),
        ("start=2099-01-01T00:00", 0),
        ("event_public_id=&experiment_public_id=&start=&stop=", 4),
    ],
)
def test_data_can_be_filtered_and_keeps_the_filter_in_its_form(data, oscar, browser_as, query, values):
    one, two, run = data
    page = browser_as(oscar).visit("/data?" + query.format(one=one.public_id, two=two.public_id, run=run.public_id))
    assert f"{values} value" in page.text or (values == 0 and "No value matches" in page.text)


def test_a_filter_that_makes_no_sense_is_a_readable_refusal(oscar, browser_as):
    for query in ("start=yesterday", "page=0", "page_size=101", "cursor=nonsense"):
        browser_as(oscar).visit(f"/data?{query}", 422)
    for query in ("event_public_id=evt_none", "experiment_public_id=exp_none"):
        browser_as(oscar).visit(f"/data?{query}", 404)


def test_pages_of_data_lead_to_each_other_without_loss(lab, oscar, browser_as):
    event = lab.event(oscar)
    lab.samples(event, [(1_000_000 * n, float(n)) for n in range(120)])
    browser, address, seen = browser_as(oscar), "/data", 0
    for _ in range(5):
        page = browser.visit(address)
        seen += len(_rows(page))
        following = [str(a["href"]) for a in page.soup.select("#data-table a[href*='cursor=']")]
        if not following:
            break
        address = following[-1]
    assert seen == 120
