"""The CSV export, byte for byte as it is documented."""

import csv
import io
import random
from datetime import UTC, datetime, timedelta

import plotly.graph_objects as go

from webmacs.core import clock
from webmacs.core.db import db
from webmacs.features.datapoints import queries as datapoints
from webmacs.features.experiments import queries
from webmacs.features.experiments.figures import Trace, series_figure

NOON = datetime(2026, 11, 20, 13, 6, 2, 774183, tzinfo=UTC)
HEADER = "timestamp,event_name,event_public_id,value,unit,datapoint_public_id\r\n"


def _download(client, run):
    return client.get(f"/api/v1/experiments/{run.public_id}/export/csv")


def test_the_export_is_written_as_documented(lab, oscar, vera, client_as):
    warm = lab.event(oscar, name="Bed, upper", unit="°C")
    run = lab.experiment(oscar, "Drying run 7/b", started=NOON - timedelta(minutes=1))
    lab.record(oscar, warm, 5, 1e9, 0.1, at=NOON)
    answer = _download(client_as(vera), run)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    name = f"experiment_Drying_run_7-b_{run.public_id[:8]}.csv"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    lines = answer.get_data().decode("utf-8").split("\r\n")
    points = client_as(vera).get(f"/api/v1/datapoints?event_public_id={warm.public_id}").json["data"][::-1]
    ids = [point["public_id"] for point in points]
    assert lines == [
        HEADER.strip(),
        f'2026-11-20T13:06:02.774183+00:00,"Bed, upper",{warm.public_id},5.0,°C,{ids[0]}',
        f'2026-11-20T13:06:03.774183+00:00,"Bed, upper",{warm.public_id},1000000000.0,°C,{ids[1]}',
        f'2026-11-20T13:06:04.774183+00:00,"Bed, upper",{warm.public_id},0.1,°C,{ids[2]}',
        "",
    ]


def test_a_run_without_data_exports_its_header(lab, oscar, client_as):
    assert _download(client_as(oscar), lab.experiment(oscar)).get_data(as_text=True) == HEADER


def test_rows_of_many_channels_come_in_the_order_of_time(lab, oscar, client_as):
    events = [lab.event(oscar) for _ in range(5)]
    run = lab.experiment(oscar, started=NOON)
    start = clock.to_micros(NOON)
    for index, event in enumerate(events):
        lab.samples(event, [(start + 7 * step + index, float(step)) for step in range(3000)])
    rows = list(csv.DictReader(io.StringIO(_download(client_as(oscar), run).get_data(as_text=True), newline="")))
    assert len(rows) == 15_000
    times = [row["timestamp"] for row in rows]
    assert times == sorted(times)
    assert len({row["datapoint_public_id"] for row in rows}) == 15_000


def test_names_that_a_spreadsheet_would_run_are_neutralised(lab, oscar, client_as):
    event = lab.event(oscar, name='=HYPERLINK("http://x")', unit="+1")
    run = lab.experiment(oscar)
    lab.record(oscar, event, 1)
    row = next(csv.DictReader(io.StringIO(_download(client_as(oscar), run).get_data(as_text=True), newline="")))
    assert (row["event_name"], row["unit"]) == ('\'=HYPERLINK("http://x")', "'+1")


def test_every_name_makes_a_header_that_browsers_understand(lab, oscar, client_as):
    for name, plain in (("Größe 日本", "experiment_Groe__"), ('a"b\\c;d', "experiment_a_b_c_d_")):
        answer = _download(client_as(oscar), lab.experiment(oscar, name))
        assert answer.status_code == 200
        header = answer.headers["Content-Disposition"]
        header.encode("latin-1")
        assert f'filename="{plain.partition("__")[0]}' in header
        assert "filename*=UTF-8''experiment_" in header


def test_only_the_runs_own_channels_and_times_are_exported(lab, oscar, client_as):
    inside, outside = lab.event(oscar), lab.event(oscar)
    run = lab.experiment(oscar, scope=[inside], started=NOON, stopped=NOON + timedelta(seconds=1))
    lab.record(oscar, inside, 1, 2, 3, 4, at=NOON - timedelta(seconds=1))
    lab.record(oscar, outside, 9, at=NOON)
    rows = list(csv.DictReader(io.StringIO(_download(client_as(oscar), run).get_data(as_text=True), newline="")))
    assert [row["value"] for row in rows] == ["2.0", "3.0"]


def test_the_chart_is_a_figure_that_plotly_accepts(lab, oscar, client_as):
    event = lab.event(oscar)
    run = lab.experiment(oscar, started=NOON)
    lab.record(oscar, event, *range(10), at=NOON)
    lab.record(oscar, event, *range(10), at=NOON + timedelta(minutes=10))
    figure = client_as(oscar).get(f"/experiments/{run.public_id}/figure.json").json
    go.Figure(figure)  # raises for anything that Plotly does not know
    line = figure["data"][0]
    assert [value for value in line["y"] if value is not None] == [*range(10), *range(10)]
    assert line["y"].count(None) == 1, "the pause of ten minutes stays a gap"


def test_units_get_a_panel_each():
    traces = [Trace("a", "°C", [(0, 1.0)]), Trace("b", "bar", [(0, 2.0)]), Trace("c", "°C", [(0, 3.0)], True)]
    figure = series_figure(traces)
    assert [line["yaxis"] for line in figure["data"]] == ["y", "y2", "y"]
    upper, lower = figure["layout"]["yaxis"]["domain"], figure["layout"]["yaxis2"]["domain"]
    assert upper[0] > lower[1]
    assert figure["data"][2]["line"]["shape"] == "hv"
    go.Figure(figure)


def _rows(client, run):
    return list(csv.DictReader(io.StringIO(_download(client, run).get_data(as_text=True), newline="")))


ODD = [
    0.5,
    1e-5,
    1.5e-7,
    0.0001,
    123456789012345680.0,
    1e16,
    1e15,
    5e-324,
    1.7976931348623157e308,
    0.1 + 0.2,
    1 / 3,
]


def test_every_value_is_spelled_so_that_it_reads_back_exactly(lab, oscar, client_as):
    event = lab.event(oscar)
    run = lab.experiment(oscar, started=NOON)
    odd = [*ODD, *(-value for value in ODD), *(random.Random(7).uniform(-1, 1) * 10.0**e for e in range(-30, 30))]
    lab.record(oscar, event, *odd, at=NOON)
    assert [row["value"] for row in _rows(client_as(oscar), run)] == [repr(float(value)) for value in odd]


def test_gaps_crowds_and_times_before_2001_are_all_exported(lab, oscar, client_as):
    """A gap of decades, then more rows within a second than are read at once, then one row of every channel at once."""
    early = datetime(1971, 2, 3, tzinfo=UTC)
    run = lab.experiment(oscar, started=early)
    events = [lab.event(oscar) for _ in range(3)]
    start = clock.to_micros(NOON)
    expected = {(clock.to_micros(early) + 5, events[0].public_id)}
    lab.samples(events[0], [(start + n * 40, 1.0) for n in range(20_000)])
    lab.record(oscar, events[0], 0.5, at=early + timedelta(microseconds=5))
    expected |= {(start + n * 40, events[0].public_id) for n in range(20_000)}
    for event in events[1:]:
        lab.samples(event, [(start + n * 40, 1.0) for n in range(2_000)])
        expected |= {(start + n * 40, event.public_id) for n in range(2_000)}
    rows = _rows(client_as(oscar), run)
    found = [(clock.to_micros(datetime.fromisoformat(row["timestamp"])), row["event_public_id"]) for row in rows]
    assert len(found) == len(expected)
    assert set(found) == expected
    assert [ts for ts, _ in found] == sorted(ts for ts, _ in found)
    for row, (ts, event) in zip(rows, found, strict=True):
        assert row["datapoint_public_id"] == datapoints.public_id(event, ts)
    assert rows[0]["timestamp"] == "1971-02-03T00:00:00.000005+00:00"


def test_an_export_leaves_no_connection_behind_however_it_ends(app, lab, oscar):
    event = lab.event(oscar)
    run = lab.experiment(oscar, started=NOON)
    lab.samples(event, [(clock.to_micros(NOON) + n, 1.0) for n in range(5_000)])
    with app.app_context():
        before = db.engine.pool.checkedout()
        wanted = queries.export(oscar.actor, run.public_id)
        db.session.rollback()
        stream = queries.csv_chunks(wanted)
        assert next(stream) == HEADER.encode()
        assert next(stream).count(b"\r\n") == 2000
        assert db.engine.pool.checkedout() == before + 1
        stream.close()
        assert db.engine.pool.checkedout() == before
        assert sum(chunk.count(b"\r\n") for chunk in queries.csv_chunks(wanted)) == 5_001
        assert db.engine.pool.checkedout() == before
