"""Recording: what is taken, what is refused and why, and that sending again changes nothing."""

import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.make import Api
from webmacs.core import clock

DATAPOINTS = "/api/v1/datapoints"
NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)


def _values(client, event):
    found = client.get(f"{DATAPOINTS}?event_public_id={event.public_id}&page_size=100").json["data"]
    return [point["value"] for point in found][::-1]


def _batch(client, items):
    return client.post(f"{DATAPOINTS}/batch", {"datapoints": items})


@pytest.mark.parametrize(
    ("sent", "kept"), [("23.45", 23.45), ('"7.5"', 7.5), ("true", 1.0), ("-0.0", 0.0), ("5e-324", 5e-324)]
)
def test_a_number_is_kept_exactly(oscar, lab, client_as, sent, kept):
    event = lab.event(oscar)
    raw = f'{{"value": {sent}, "event_public_id": "{event.public_id}"}}'
    made = client_as(oscar).post(DATAPOINTS, data=raw)
    assert made.status_code == 201
    assert made.json["message"].startswith("1 ")
    assert client_as(oscar).get(f"{DATAPOINTS}/{made.json['public_id']}").json["value"] == kept


@pytest.mark.parametrize(
    "sent", ["NaN", "Infinity", "-Infinity", "1e400", '"nan"', '"inf"', "null", '"abc"', "[]", "{}"]
)
def test_what_is_no_finite_number_is_refused(oscar, lab, client_as, sent):
    event = lab.event(oscar)
    raw = f'{{"value": {sent}, "event_public_id": "{event.public_id}"}}'
    refused = client_as(oscar).post(DATAPOINTS, data=raw)
    assert refused.status_code == 422
    assert refused.json["detail"][0]["loc"] == ["body", "value"]
    assert _values(client_as(oscar), event) == []


def test_a_bad_item_never_spoils_a_good_batch(oscar, eve, lab, client_as):
    event, foreign = lab.event(oscar), lab.event(eve)
    items = ",".join(
        f'{{"value": {value}, "event_public_id": "{public_id}"}}'
        for value, public_id in (
            ("1", event.public_id),
            ("NaN", event.public_id),
            ("2", "evt_nothing"),
            ("3", foreign.public_id),
            ("4", event.public_id),
        )
    )
    answer = client_as(oscar).post(f"{DATAPOINTS}/batch", data=f'{{"datapoints": [{items}]}}')
    assert answer.status_code == 201
    assert answer.json["message"].split()[0] == "2"
    assert answer.json["accepted"] == 2
    assert answer.json["rejected"] == [
        {"index": 1, "reason": "value is not a finite number"},
        {"index": 2, "reason": "unknown event"},
        {"index": 3, "reason": "unknown event"},
    ]
    assert _values(client_as(oscar), event) == [1, 4]


@pytest.mark.parametrize(
    "item", [{"value": 1}, {"event_public_id": "x"}, {"value": "abc", "event_public_id": "x"}, 7, None]
)
def test_a_batch_with_an_item_of_the_wrong_shape_is_refused_whole(oscar, lab, client_as, item):
    event = lab.event(oscar)
    answer = _batch(client_as(oscar), [{"value": 1, "event_public_id": event.public_id}, item])
    assert answer.status_code == 422
    assert answer.json["detail"][0]["loc"][:3] == ["body", "datapoints", 1]
    assert _values(client_as(oscar), event) == []


def test_five_hundred_items_are_taken_and_one_more_is_not(oscar, lab, client_as):
    event = lab.event(oscar)
    items = [{"value": i, "event_public_id": event.public_id} for i in range(501)]
    assert _batch(client_as(oscar), items).status_code == 422
    assert _batch(client_as(oscar), []).json["accepted"] == 0
    answer = _batch(client_as(oscar), items[:500])
    assert (answer.status_code, answer.json["accepted"]) == (201, 500)
    found = client_as(oscar).get(f"{DATAPOINTS}?event_public_id={event.public_id}&page_size=1").json
    assert (found["total"], found["data"][0]["value"]) == (500, 499)


@pytest.mark.parametrize(
    "stamp",
    [
        "2026-05-03T12:00:00Z",
        "2026-05-03T14:00:00+02:00",
        "2026-05-03T12:00:00",
        1777809600,
        1777809600.0,
        1777809600000,
    ],
)
def test_a_time_may_come_in_every_documented_form(oscar, lab, client_as, stamp):
    event = lab.event(oscar)
    made = client_as(oscar).post(DATAPOINTS, {"value": 1, "event_public_id": event.public_id, "timestamp": stamp})
    assert made.status_code == 201
    assert client_as(oscar).get(f"{DATAPOINTS}/{made.json['public_id']}").json["timestamp"] == "2026-05-03T12:00:00Z"


@pytest.mark.parametrize("stamp", ["yesterday", "", True, -1, 1e18, "2300-01-01T00:00:00Z", [], "1969-12-31T23:59:59Z"])
def test_a_time_that_cannot_be_is_refused(oscar, lab, client_as, stamp):
    event = lab.event(oscar)
    made = client_as(oscar).post(DATAPOINTS, {"value": 1, "event_public_id": event.public_id, "timestamp": stamp})
    assert made.status_code == 422


def test_the_same_channel_and_time_again_changes_nothing(oscar, lab, client_as):
    client, event = client_as(oscar), lab.event(oscar)
    item = {"value": 1, "event_public_id": event.public_id, "timestamp": "2026-05-03T12:00:00.000001Z"}
    assert _batch(client, [item, item | {"value": 2}]).json["accepted"] == 2
    assert client.post(DATAPOINTS, item | {"value": 3}).status_code == 201
    assert _values(client, event) == [1]
    assert client.get(f"{DATAPOINTS}/latest").json[0]["value"] == 1


def test_untimed_values_of_a_batch_keep_their_order_and_their_number(oscar, lab, client_as):
    event = lab.event(oscar)
    _batch(client_as(oscar), [{"value": i, "event_public_id": event.public_id} for i in (5, 3, 9)])
    assert _values(client_as(oscar), event) == [5, 3, 9]


def test_values_without_a_time_are_never_lost_to_each_other(app, oscar, lab, client_as, monkeypatch):
    event = lab.event(oscar)
    frozen = clock.now()
    monkeypatch.setattr(clock, "now", lambda: frozen)  # the worst clock: every request at the same microsecond
    barrier = threading.Barrier(4)
    answers = []

    def push():
        barrier.wait()
        client = Api(app, oscar.bearer)
        answers.extend(
            _batch(client, [{"value": i, "event_public_id": event.public_id} for i in range(5)]) for _ in range(3)
        )

    threads = [threading.Thread(target=push) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [201] * 12
    found = client_as(oscar).get(f"{DATAPOINTS}?event_public_id={event.public_id}").json
    assert found["total"] == 60


def test_the_latest_is_the_newest_in_time_not_the_last_to_arrive(oscar, lab, client_as):
    client, event = client_as(oscar), lab.event(oscar)
    lab.record(oscar, event, 2, at=NOON)
    lab.record(oscar, event, 1, at=NOON - timedelta(hours=1))
    newest = client.get(f"{DATAPOINTS}/latest").json
    assert [point["value"] for point in newest] == [2]
    client.delete(f"{DATAPOINTS}/{newest[0]['public_id']}")
    assert [point["value"] for point in client.get(f"{DATAPOINTS}/latest").json] == [1]
    assert client.get(f"{DATAPOINTS}/{newest[0]['public_id']}").status_code == 404
    assert client.delete(f"{DATAPOINTS}/{newest[0]['public_id']}").status_code == 404


@pytest.mark.parametrize(
    "bad", ["x", "dpt_", "dpt_nothing_00000000000000", "dpt_x_zzzzzzzzzzzzzz", "evt_x_00000000000000"]
)
def test_an_id_of_nothing_is_not_found(oscar, client_as, bad):
    answer = client_as(oscar).get(f"{DATAPOINTS}/{bad}")
    assert (answer.status_code, answer.json["detail"]) == (404, f"Datapoint '{bad}' not found.")


def test_deleting_a_channel_takes_its_datapoints(oscar, lab, client_as):
    client, event = client_as(oscar), lab.event(oscar)
    lab.record(oscar, event, 1, 2, 3)
    client.delete(f"/api/v1/events/{event.public_id}")
    assert client.get(f"{DATAPOINTS}/latest").json == []
    assert client.get(DATAPOINTS).json["total"] == 0


def test_a_viewer_records_nothing(vera, oscar, lab, client_as):
    event = lab.event(oscar)
    item = {"value": 1, "event_public_id": event.public_id}
    assert client_as(vera).post(DATAPOINTS, item).status_code == 403
    assert _batch(client_as(vera), [item]).status_code == 403
    assert _values(client_as(vera), event) == []


POINTS = st.lists(st.tuples(st.integers(0, 30), st.floats(-1e6, 1e6)), min_size=1, max_size=30)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(points=POINTS, cuts=st.lists(st.integers(0, 30), max_size=4), repeat=st.integers(1, 3))
def test_any_cutting_and_repetition_of_batches_gives_the_same_table(lab, oscar, client_as, points, cuts, repeat):
    event = lab.event(oscar)
    first: dict[int, float] = {}
    for second, value in points:
        first.setdefault(second, value)
    edges = sorted({0, len(points), *(cut for cut in cuts if cut < len(points))})
    for low, high in pairwise(edges):
        for _ in range(repeat):
            for second, value in points[low:high]:
                lab.record(oscar, event, value, at=NOON + timedelta(seconds=second))
    assert _values(client_as(oscar), event) == [first[second] for second in sorted(first)]
