"""Aggregates of time buckets against Python's own arithmetic over the same points."""

import statistics
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from webmacs.core import clock
from webmacs.core.db import db
from webmacs.features.datapoints import queries, rollups, series
from webmacs.features.datapoints.decide import percentile
from webmacs.features.datapoints.schemas import AggregateOut, DatapointOut

AGGREGATE, SERIES = "/api/v1/datapoints/aggregate", "/api/v1/datapoints/series"
BASE = datetime(2026, 5, 3, 23, 50, tzinfo=UTC)
FUNCTIONS = ["avg", "min", "max", "sum", "count", "first", "last", "p50", "p90", "p99.5"]


def _ask(client, event, **wish):
    answer = client.post(AGGREGATE, {"event_public_ids": [event.public_id], **wish})
    assert answer.status_code == 200, answer.json
    TypeAdapter(dict[str, list[AggregateOut]]).validate_python(answer.json)
    return answer.json[event.public_id]


def _plainly(points, step):
    """The buckets by definition; points are (seconds since 1970, value) in order."""
    groups = {}
    for moment, value in points:
        groups.setdefault(moment // step * step, []).append(value)
    for start, values in groups.items():
        yield (
            {
                "start": clock.iso_z(datetime.fromtimestamp(start, UTC)),
                "avg": pytest.approx(sum(values) / len(values)),
                "min": min(values),
                "max": max(values),
                "sum": pytest.approx(sum(values)),
                "count": len(values),
                "first": values[0],
                "last": values[-1],
            }
            | {name: pytest.approx(percentile(sorted(values), float(name[1:]))) for name in ("p50", "p90", "p99.5")}
        )


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seconds=st.sets(st.integers(0, 8_000), min_size=1, max_size=60).map(sorted),
    window=st.tuples(st.integers(0, 8_000), st.integers(1, 8_000)),
    bucket=st.sampled_from([7, "10s", "1m", "20m", "1h", "1d"]),
    is_folded=st.booleans(),
)
def test_aggregates_are_what_the_points_of_the_window_amount_to(
    lab, oscar, client_as, seconds, window, bucket, is_folded
):
    event, base = lab.event(oscar), int(BASE.timestamp())
    points = [(base + second, float(second * 7919 % 101)) for second in seconds]
    lab.samples(event, [(moment * 1_000_000, value) for moment, value in points])
    if is_folded:
        with lab.app.app_context():
            while rollups.fold(db.engine):
                pass
    low, high = base + window[0], base + window[0] + window[1]
    ends = {"start": low, "stop": high}
    wish = {name: datetime.fromtimestamp(moment, UTC).isoformat() for name, moment in ends.items()}
    shown = _ask(client_as(oscar), event, **wish, bucket=bucket, functions=FUNCTIONS)
    step = {"10s": 10, "1m": 60, "20m": 1200, "1h": 3600, "1d": 86400}.get(bucket, bucket)
    assert shown == list(_plainly([point for point in points if low <= point[0] < high], step))


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40), st.integers(1, 99))
def test_a_percentile_lies_where_the_library_puts_it(values, percent):
    wanted = statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
    assert percentile(sorted(values), percent) == pytest.approx(wanted, abs=1e-6)


def test_the_last_hour_and_four_functions_unless_told_otherwise(lab, oscar, eve, client_as):
    event, foreign = lab.event(oscar), lab.event(eve)
    lab.record(oscar, event, 1, at=clock.now() - timedelta(minutes=90))
    lab.record(oscar, event, 2, 4, at=clock.now() - timedelta(minutes=30))
    lab.record(eve, foreign, 9)
    client = client_as(oscar)
    shown = _ask(client, event, bucket="1m")
    assert sum(each["count"] for each in shown) == 2
    assert all(set(each) == {"start", "avg", "min", "max", "count"} for each in shown)
    assert sum(each["count"] for each in _ask(client, event, bucket=60, minutes=120)) == 3
    ids = ["evt_nothing", foreign.public_id]
    assert client.post(AGGREGATE, {"event_public_ids": ids, "bucket": 60}).json == {public_id: [] for public_id in ids}


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"bucket": "1w"}, "bucket"),
        ({"bucket": 0}, "bucket"),
        ({"bucket": "400d"}, "bucket"),
        ({"bucket": True}, "bucket"),
        ({"bucket": 1e300}, "bucket"),
        ({"bucket": "1s", "minutes": 200}, "bucket"),
        ({"bucket": 60, "functions": ["median"]}, "functions"),
        ({"bucket": 60, "functions": []}, "functions"),
        ({"bucket": 60, "minutes": 5, "start": "2026-01-01T00:00:00Z"}, "minutes"),
        ({"bucket": 60, "start": "2026-01-01T00:00:00Z", "stop": "2026-01-01T00:00:00Z"}, "stop"),
        ({}, "bucket"),
    ],
)
def test_a_wish_that_cannot_be_met_names_its_field(lab, oscar, client_as, wish, field):
    event = lab.event(oscar)
    refused = client_as(oscar).post(AGGREGATE, {"event_public_ids": [event.public_id], **wish})
    assert refused.status_code == 422
    assert field in refused.json["detail"][0]["loc"]


def test_percentiles_of_too_many_values_are_refused(lab, oscar, client_as, monkeypatch):
    monkeypatch.setattr(queries, "MOST_POINTS", 10)
    monkeypatch.setattr(series, "RAW_ROWS", 4)
    event = lab.event(oscar)
    lab.record(oscar, event, *range(11), at=BASE)
    wish = {"event_public_ids": [event.public_id], "bucket": "1h", "start": BASE.isoformat(), "functions": ["p50"]}
    client = client_as(oscar)
    refused = client.post(AGGREGATE, wish | {"stop": (BASE + timedelta(hours=1)).isoformat()})
    assert (refused.status_code, refused.json["detail"][0]["loc"]) == (422, ["body", "start"])
    taken = client.post(AGGREGATE, wish | {"stop": (BASE + timedelta(seconds=10)).isoformat()})
    assert taken.json[event.public_id][0]["p50"] == 4.5


def test_series_and_latest_have_the_documented_shape(lab, oscar, client_as):
    event = lab.event(oscar)
    run = lab.experiment(oscar, scope=[event])
    lab.record(oscar, event, 1.5)
    client = client_as(oscar)
    shown = client.post(SERIES, {"event_public_ids": [event.public_id]}).json[event.public_id]
    newest = client.get("/api/v1/datapoints/latest").json
    listed = client.get("/api/v1/datapoints").json["data"]
    assert shown == newest == listed
    assert set(shown[0]) == set(DatapointOut.model_fields)
    assert shown[0]["experiment_public_id"] == run.public_id
    assert shown[0]["timestamp"].endswith("Z")


def test_a_page_far_on_shows_what_reading_all_before_it_would(lab, oscar, client_as, monkeypatch):
    monkeypatch.setattr(queries, "FAR", 3)
    events = [lab.event(oscar) for _ in range(2)]
    start = int(BASE.timestamp()) * 1_000_000
    for number, event in enumerate(events):
        lab.samples(event, [(start + n * 170_000_000 + number, float(n)) for n in range(60)])
    with lab.app.app_context():
        rollups.fold(db.engine)
    lab.record(oscar, events[0], -1, at=BASE + timedelta(minutes=20, seconds=3))
    client, seen = client_as(oscar), []
    for page in range(1, 20):
        answer = client.get("/api/v1/datapoints", query_string={"page": page, "page_size": 7}).json
        assert answer["total"] == 121
        seen += answer["data"]
    assert len(seen) == len({point["public_id"] for point in seen}) == 121
    assert seen == sorted(seen, key=lambda point: point["public_id"].rpartition("_")[2], reverse=True)
