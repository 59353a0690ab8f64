"""The pages of experiments."""

from tests.make import NOON


def test_starting_says_what_runs_already(lab, oscar, browser_as):
    lab.experiment(oscar, "Drying run")
    page = browser_as(oscar).visit("/experiments/new")
    assert "1 experiment is running" in page.text
    assert "Drying run" in page.text


def test_a_run_over_some_channels_is_started_by_ticking_them(lab, oscar, browser_as, client_as):
    one, two = lab.event(oscar), lab.event(oscar)
    form = browser_as(oscar).visit("/experiments/new").form("/experiments")
    assert form.submit(name="Run", event_public_ids=[one.public_id]).status_code == 303
    lab.record(oscar, one, 1.0)
    lab.record(oscar, two, 1.0)
    run = client_as(oscar).get("/api/v1/experiments").json["data"][0]["public_id"]
    belongs = {
        p["event_public_id"]: p["experiment_public_id"] for p in client_as(oscar).get("/api/v1/datapoints/latest").json
    }
    assert belongs == {one.public_id: run, two.public_id: None}


def test_a_run_over_no_ticked_channel_covers_all(lab, oscar, browser_as, client_as):
    event = lab.event(oscar)
    assert browser_as(oscar).visit("/experiments/new").form("/experiments").submit(name="Run").status_code == 303
    lab.record(oscar, event, 1.0)
    assert client_as(oscar).get("/api/v1/datapoints/latest").json[0]["experiment_public_id"] is not None


def test_a_run_is_stopped_on_its_page_once(lab, oscar, browser_as, client_as):
    run = lab.experiment(oscar, "Run")
    browser, path = browser_as(oscar), f"/experiments/{run.public_id}"
    stop = browser.visit(path).form(f"{path}/stop")
    assert stop.submit().headers["Location"] == path
    stopped = client_as(oscar).get(f"/api/v1{path}").json["stopped_on"]
    assert stopped is not None
    browser.check(stop.submit(), path, 409)
    assert client_as(oscar).get(f"/api/v1{path}").json["stopped_on"] == stopped
    assert not [form for form in browser.visit(path).forms() if form.action == f"{path}/stop"]


def test_the_page_of_a_run_shows_its_numbers(lab, oscar, browser_as):
    event, run = lab.event(oscar, name="Bed temperature"), lab.experiment(oscar, "Run", started=NOON)
    lab.record(oscar, event, 10, 20, 60, at=NOON)
    text = browser_as(oscar).visit(f"/experiments/{run.public_id}").text
    for expected in ("Bed temperature", "10", "30", "60", "3"):
        assert expected in text


def test_the_name_that_is_taken_is_refused_on_its_field(lab, oscar, browser_as):
    lab.experiment(oscar, "Run 07")
    browser = browser_as(oscar)
    answer = browser.visit("/experiments/new").form("/experiments").submit(name="Run 07")
    page = browser.check(answer, "/experiments", 422)
    assert "Experiment already exists." in page.text
    assert page.form("/experiments").values["name"] == "Run 07"


def test_the_list_can_be_filtered_by_state_and_name(lab, oscar, browser_as):
    lab.experiment(oscar, "Drying")
    lab.stop(oscar, lab.experiment(oscar, "Sintering"))
    browser = browser_as(oscar)

    def names(query):
        return [
            tag.get_text(strip=True)
            for tag in browser.visit(f"/experiments?{query}").soup.select("#experiments-table tbody th a")
        ]

    assert names("state=running") == ["Drying"]
    assert names("state=stopped") == ["Sintering"]
    assert names("q=sint") == ["Sintering"]
    assert names("state=&q=") == ["Sintering", "Drying"]
    browser.visit("/experiments?state=paused", 422)


def test_a_viewer_reads_runs_and_downloads_them(lab, oscar, vera, browser_as):
    run = lab.experiment(oscar, "Run")
    page = browser_as(vera).visit(f"/experiments/{run.public_id}")
    export = f"/api/v1/experiments/{run.public_id}/export/csv"
    assert export in page.links()
    assert browser_as(vera).send("GET", export).status_code == 200
    assert [form.action for form in page.forms() if "/experiments" in form.action] == []
