"""Reading history: slices, pages, cursors and series against plain recomputation."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from webmacs.core import clock
from webmacs.core.db import db
from webmacs.features.datapoints import series
from webmacs.features.datapoints.decide import stride_indices

DATAPOINTS, SERIES = "/api/v1/datapoints", "/api/v1/datapoints/series"
BASE = 1_777_000_000_000_000
BURST = st.tuples(st.integers(0, 40_000_000_000), st.integers(1, 60), st.sampled_from([1, 10, 1_000, 10_000_000]))


def _from(client, url):
    return [(point["event_public_id"], point["timestamp"], point["value"]) for point in client.get(url).json["data"]]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bursts=st.lists(st.lists(BURST, max_size=3), min_size=1, max_size=3),
    window=st.tuples(st.integers(0, 45), st.integers(0, 45)),
)
def test_slices_yield_every_row_once_in_order_both_ways(lab, oscar, bursts, window, monkeypatch):
    monkeypatch.setattr(series, "SLICE_ROWS", 8)  # so that few rows meet all the edges
    rows = []
    events = [lab.event(oscar) for _ in bursts]
    for event, parts in zip(events, bursts, strict=True):
        mine = {BASE + start + i * step: float(i) for start, count, step in parts for i in range(count)}
        lab.samples(event, mine.items())
        rows += [(event.id, ts, value) for ts, value in mine.items()]
    low, high = (BASE + edge * 1_000_000_000 for edge in sorted(window))
    wanted = sorted((row for row in rows if low <= row[1] < high), key=lambda row: (row[1], row[0]))
    ids = [event.id for event in events]
    with lab.arrival(write=False):
        forward = list(series.scan(db.session.connection(), ids, low, high))
        backward = list(series.scan(db.session.connection(), ids, low, high, descending=True))
    assert forward == wanted
    assert backward == wanted[::-1]


def test_many_rows_at_one_moment_are_not_cut_apart(lab, oscar, monkeypatch):
    monkeypatch.setattr(series, "SLICE_ROWS", 2)
    events = [lab.event(oscar) for _ in range(12)]
    for event in events:
        lab.samples(event, [(BASE, 1.0), (BASE + 1, 2.0)])
    with lab.arrival(write=False):
        found = list(series.scan(db.session.connection(), [e.id for e in events], 0, BASE + 10))
    assert [(row[0], row[1]) for row in found] == [(e.id, BASE + i) for i in (0, 1) for e in events]


def test_a_cursor_walks_the_list_without_loss_or_doubling_while_values_arrive(lab, oscar, client_as):
    client = client_as(oscar)
    events = [lab.event(oscar) for _ in range(3)]
    for event in events:
        lab.samples(event, [(BASE + i * 500_000, float(i)) for i in range(40)])
    seen, cursor = [], None
    while True:
        answer = client.get(f"{DATAPOINTS}?page_size=7" + (f"&cursor={cursor}" if cursor else "")).json
        assert len(answer["data"]) <= 7
        seen += [point["public_id"] for point in answer["data"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
        lab.record(oscar, events[0], 99.0)  # newer than all: on no page that is still to come
    assert len(seen) == len(set(seen)) == 120
    assert client.get(f"{DATAPOINTS}?cursor=dpt_nothing_00000000000000").status_code == 422


@pytest.mark.parametrize("how", ["uniform", "minmax", "lttb"])
def test_a_series_shows_points_as_the_list_does(lab, oscar, client_as, how):
    """Also on both sides of experiments, at whole seconds, and with values that are awkward to spell."""
    client, events = client_as(oscar), [lab.event(oscar), lab.event(oscar)]
    now = clock.now().replace(microsecond=0)
    start = clock.to_micros(now - timedelta(minutes=10))
    values = [0.0, -0.0, 1e-7, 1e300, -1 / 3, 1e16, 5.0, 1e-300, 2.5, 123456789.125]
    for event in events:
        lab.samples(event, [(start + n * 500_000, value) for n, value in enumerate(values)])
    moments = [clock.from_micros(start + n * 500_000) for n in (0, 2, 4, 6, 8)]
    lab.experiment(oscar, started=moments[1], stopped=moments[3])
    lab.experiment(oscar, scope=events[:1], started=moments[2], stopped=moments[4])
    shown = client.post(SERIES, {"event_public_ids": [e.public_id for e in events], "minutes": 60, "downsample": how})
    listed = client.get(f"{DATAPOINTS}?page_size=100").json["data"][::-1]
    for event in events:
        assert shown.json[event.public_id] == [p for p in listed if p["event_public_id"] == event.public_id]
    spans = [p["experiment_public_id"] for p in shown.json[events[0].public_id]]
    assert [spans.count(span) for span in dict.fromkeys(spans)] == [3, 2, 5]


def test_pages_and_filters_show_what_they_say(lab, oscar, client_as):
    client = client_as(oscar)
    one, two = lab.event(oscar), lab.event(oscar)
    lab.samples(one, [(BASE + i * 1_000_000, float(i)) for i in range(10)])
    lab.samples(two, [(BASE + i * 1_000_000, 100.0 + i) for i in range(10)])
    assert [row[2] for row in _from(client, f"{DATAPOINTS}?page_size=3")] == [109, 9, 108]
    assert [row[2] for row in _from(client, f"{DATAPOINTS}?page_size=3&page=2")] == [8, 107, 7]
    only = f"{DATAPOINTS}?event_public_id={one.public_id}"
    assert [row[2] for row in _from(client, f"{only}&page_size=2&page=5")] == [1, 0]
    start, stop = (clock.iso_z(clock.from_micros(BASE + s * 1_000_000)) for s in (3, 5))
    assert [row[2] for row in _from(client, f"{only}&start={start}&stop={stop}")] == [5, 4, 3]
    past = client.get(f"{DATAPOINTS}?page=1000").json
    assert (past["total"], past["data"], past["next_cursor"]) == (20, [], None)
    assert client.get(f"{DATAPOINTS}?event_public_id=evt_nothing").status_code == 404


def _series(client, event, **wish):
    body = {"event_public_ids": [event.public_id], "minutes": 14400, **wish}
    return [point["value"] for point in client.post(SERIES, body).json[event.public_id]]


def test_a_series_takes_the_documented_places_and_always_the_last(lab, oscar, client_as):
    event = lab.event(oscar)
    start = clock.to_micros(clock.now() - timedelta(hours=1))
    lab.samples(event, [(start + i * 1_000_000, float(i)) for i in range(1234)])
    client = client_as(oscar)
    assert _series(client, event, max_points=100) == [float(i) for i in stride_indices(1234, 100)]
    assert _series(client, event, max_points=2000) == [float(i) for i in range(1234)]
    for how in ("minmax", "lttb"):
        shown = _series(client, event, max_points=100, downsample=how)
        assert (shown[0], shown[-1], shown == sorted(set(shown))) == (0, 1233, True)
        assert len(shown) <= 100


def test_a_long_series_is_sampled_by_time(lab, oscar, client_as, monkeypatch):
    monkeypatch.setattr(series, "EXACT_ROWS", 500)
    event = lab.event(oscar)
    start = clock.to_micros(clock.now() - timedelta(hours=2))
    samples = [(start + i * 1_000_000, float(i)) for i in range(1000)] + [(start + 5_000_000_000, 5000.0)]
    lab.samples(event, samples)
    shown = _series(client_as(oscar), event, max_points=51)
    assert (shown[0], shown[-1]) == (0, 5000)
    assert shown[1:10] == [100.0 * i for i in range(1, 10)]
    assert len(shown) <= 51


def test_a_peak_is_kept_and_a_window_is_kept_to(lab, oscar, client_as):
    event = lab.event(oscar)
    now = clock.to_micros(clock.now())
    lab.samples(event, [(now - i * 1_000_000, 1000.0 if i == 1777 else 0.0) for i in range(3000)])
    assert max(_series(client_as(oscar), event, max_points=50, downsample="minmax")) == 1000
    assert len(_series(client_as(oscar), event, minutes=1, max_points=2000)) in range(57, 62)


def test_an_unknown_channel_has_an_empty_series(lab, oscar, eve, client_as):
    foreign = lab.event(eve)
    lab.record(eve, foreign, 1)
    ids = ["evt_nothing", foreign.public_id]
    assert client_as(oscar).post(SERIES, {"event_public_ids": ids}).json == {public_id: [] for public_id in ids}


def test_a_series_wish_has_limits(oscar, client_as):
    bad = (
        {"event_public_ids": []},
        {"event_public_ids": ["x"] * 21},
        *({"event_public_ids": ["x"], "minutes": minutes} for minutes in (0, 14401)),
        *({"event_public_ids": ["x"], "max_points": points} for points in (9, 2001)),
        {"event_public_ids": ["x"], "downsample": "magic"},
    )
    for body in bad:
        assert client_as(oscar).post(SERIES, body).status_code == 422, body
