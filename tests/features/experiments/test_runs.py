"""Experiments are spans: what belongs to them, how they end, and what goes with them."""

import threading
from datetime import UTC, datetime, timedelta

from tests.make import Api

EXPERIMENTS, DATAPOINTS = "/api/v1/experiments", "/api/v1/datapoints"
NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)


def _belonging(client, event):
    found = client.get(f"{DATAPOINTS}?event_public_id={event.public_id}").json["data"]
    return {point["value"]: point["experiment_public_id"] for point in found}


def test_several_run_side_by_side(oscar, client_as):
    client = client_as(oscar)
    first = client.post(EXPERIMENTS, {"name": "Run 1"})
    second = client.post(EXPERIMENTS, {"name": "Run 2"})
    assert (first.status_code, second.status_code) == (201, 201)
    running = client.get(f"{EXPERIMENTS}?state=running").json
    assert [row["name"] for row in running["data"]] == ["Run 2", "Run 1"]
    assert all(row["stopped_on"] is None for row in running["data"])


def test_a_name_is_taken_once_and_the_refusal_leaves_no_trace(oscar, client_as):
    client = client_as(oscar)
    client.post(EXPERIMENTS, {"name": "Run 1"})
    before = client.get("/api/v1/logging").json["total"]
    again = client.post(EXPERIMENTS, {"name": "Run 1"})
    assert (again.status_code, again.json) == (409, {"detail": "Experiment already exists."})
    assert client.get(EXPERIMENTS).json["total"] == 1
    assert client.get("/api/v1/logging").json["total"] == before


def test_stopping_twice_is_refused_and_moves_nothing(oscar, client_as):
    client = client_as(oscar)
    public_id = client.post(EXPERIMENTS, {"name": "Run 1"}).json["public_id"]
    assert client.put(f"{EXPERIMENTS}/{public_id}/stop").status_code == 200
    stopped_on = client.get(f"{EXPERIMENTS}/{public_id}").json["stopped_on"]
    assert client.put(f"{EXPERIMENTS}/{public_id}/stop").status_code == 409
    assert client.get(f"{EXPERIMENTS}/{public_id}").json["stopped_on"] == stopped_on
    entries = [entry["content"] for entry in client.get("/api/v1/logging").json["data"]]
    assert entries.count("Experiment 'Run 1' stopped.") == 1


def test_of_two_who_press_stop_together_one_stops_it(app, oscar, client_as):
    public_id = client_as(oscar).post(EXPERIMENTS, {"name": "Run 1"}).json["public_id"]
    answers = []
    barrier = threading.Barrier(4)

    def press():
        barrier.wait()
        answers.append(Api(app, oscar.bearer).put(f"{EXPERIMENTS}/{public_id}/stop").status_code)

    presses = [threading.Thread(target=press) for _ in range(4)]
    for thread in presses:
        thread.start()
    for thread in presses:
        thread.join()
    assert sorted(answers) == [200, 409, 409, 409]


def test_late_data_lands_in_the_run_of_its_time(lab, oscar, client_as):
    event = lab.event(oscar)
    run = lab.experiment(oscar, started=NOON, stopped=NOON + timedelta(hours=1))
    lab.record(oscar, event, 1, at=NOON - timedelta(seconds=1))
    lab.record(oscar, event, 2, at=NOON)
    lab.record(oscar, event, 3, at=NOON + timedelta(hours=1))
    lab.record(oscar, event, 4, at=NOON + timedelta(hours=1, microseconds=1))
    assert _belonging(client_as(oscar), event) == {1: None, 2: run.public_id, 3: run.public_id, 4: None}


def test_a_datapoint_shows_the_run_that_started_last_and_only_within_its_scope(lab, oscar, client_as):
    inside, outside = lab.event(oscar), lab.event(oscar)
    plant = lab.experiment(oscar, started=NOON)
    rig = lab.experiment(oscar, scope=[inside], started=NOON + timedelta(minutes=10))
    lab.record(oscar, inside, 1, at=NOON + timedelta(minutes=5))
    lab.record(oscar, inside, 2, at=NOON + timedelta(minutes=15))
    lab.record(oscar, outside, 3, at=NOON + timedelta(minutes=15))
    assert _belonging(client_as(oscar), inside) == {1: plant.public_id, 2: rig.public_id}
    assert _belonging(client_as(oscar), outside) == {3: plant.public_id}


def test_a_scope_of_unknown_channels_starts_nothing(oscar, eve, lab, client_as):
    foreign = lab.event(eve)
    for public_id in ("evt_nothing", foreign.public_id):
        answer = client_as(oscar).post(EXPERIMENTS, {"name": "Run 1", "event_public_ids": [public_id]})
        assert (answer.status_code, answer.json["detail"]) == (404, f"Event '{public_id}' not found.")
    assert client_as(oscar).get(EXPERIMENTS).json["total"] == 0


def test_deleting_a_run_takes_its_own_datapoints_and_leaves_those_of_others(lab, oscar, client_as):
    client, event = client_as(oscar), lab.event(oscar)
    first = lab.experiment(oscar, started=NOON, stopped=NOON + timedelta(minutes=20))
    second = lab.experiment(oscar, started=NOON + timedelta(minutes=10), stopped=NOON + timedelta(minutes=30))
    for minute in (-5, 5, 15, 25):
        lab.record(oscar, event, minute, at=NOON + timedelta(minutes=minute))
    assert client.delete(f"{EXPERIMENTS}/{first.public_id}").status_code == 200
    assert _belonging(client, event) == {-5: None, 15: second.public_id, 25: second.public_id}
    assert client.delete(f"{EXPERIMENTS}/{second.public_id}").status_code == 200
    assert _belonging(client, event) == {-5: None}
    assert [point["value"] for point in client.get(f"{DATAPOINTS}/latest").json] == [-5]


def test_a_deleted_run_can_leave_its_data(lab, oscar, client_as):
    client, event = client_as(oscar), lab.event(oscar)
    run = lab.experiment(oscar, started=NOON)
    lab.record(oscar, event, 1, at=NOON)
    assert client.delete(f"{EXPERIMENTS}/{run.public_id}?keep_data=true").status_code == 200
    assert client.get(f"{EXPERIMENTS}/{run.public_id}").status_code == 404
    assert _belonging(client, event) == {1: None}


def test_the_page_keeps_the_data_unless_the_box_is_ticked(lab, oscar, client_as, browser_as):
    event = lab.event(oscar)
    kept, gone = lab.experiment(oscar, started=NOON, stopped=NOON + timedelta(hours=1)), lab.experiment(oscar)
    lab.record(oscar, event, 1, at=NOON)
    lab.record(oscar, event, 2)
    browser = browser_as(oscar)
    browser.post(f"/experiments/{kept.public_id}/delete", {})
    browser.post(f"/experiments/{gone.public_id}/delete", {"with_data": "yes"})
    assert _belonging(client_as(oscar), event) == {1: None}
    assert client_as(oscar).get(EXPERIMENTS).json["total"] == 0


def test_a_deleted_channel_leaves_a_scoped_run_that_covers_nothing_else(lab, oscar, client_as):
    scoped, other = lab.event(oscar), lab.event(oscar)
    run = lab.experiment(oscar, scope=[scoped])
    client_as(oscar).delete(f"/api/v1/events/{scoped.public_id}")
    lab.record(oscar, other, 1)
    assert _belonging(client_as(oscar), other) == {1: None}
    assert client_as(oscar).get(f"{EXPERIMENTS}/{run.public_id}").status_code == 200
