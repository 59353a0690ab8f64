"""Exports: what the file holds, and what becomes of one that is cancelled, abandoned or old."""

import csv
import hashlib
import io
import json
import sqlite3
import sys
from datetime import UTC, datetime, timedelta

import psycopg
import pyarrow.parquet as pq
import pytest
import time_machine
from redis import Redis
from rq import SimpleWorker
from sqlalchemy import delete, select, text, update

from tests.make import NOON
from webmacs.core import clock, jobs, outage, work
from webmacs.core.db import db, transaction
from webmacs.features.datapoints import queries as datapoints
from webmacs.features.datapoints import rollups
from webmacs.features.datapoints.models import datapoints as table
from webmacs.features.exports import jobs as export_jobs
from webmacs.features.exports import operations, queries
from webmacs.features.exports.models import Export
from webmacs.gateways import files, parquet

API = "/api/v1/exports"
VALUES = [5.0, 1e9, 0.1, -1.5e-7, 1 / 3]
DEAD = work.DEAD_AFTER + timedelta(seconds=1)
# whoever is between two slices, or waits in the pool
CUT = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
AND query = 'ROLLBACK'"""


@pytest.fixture
def filled(lab, oscar):
    """Two channels, their values a second apart."""
    events = [lab.event(oscar, name="Bed, upper", unit="°C"), lab.event(oscar, name="=1+1", unit='"')]
    lab.record(oscar, events[0], *VALUES, at=NOON)
    lab.record(oscar, events[1], *VALUES, at=NOON + timedelta(milliseconds=500))
    return events


def _stored(app, *events):
    """(microseconds, event's public id, value) as the database has them."""
    names = {event.id: event.public_id for event in events}
    with app.app_context():
        rows = db.session.execute(select(table.c.ts, table.c.event_id, table.c.value).order_by("ts", "event_id"))
        return [(ts, names[event_id], value) for ts, event_id, value in rows if event_id in names]


def _read(kind, data):
    """The same from a file."""
    if kind == "parquet":
        rows = pq.read_table(io.BytesIO(data)).to_pylist()
        return [(clock.to_micros(r["timestamp"]), r["event_public_id"], r["value"]) for r in rows]
    if kind == "ndjson":
        rows = [json.loads(line) for line in data.splitlines()]
    else:
        rows = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    return [
        (clock.to_micros(datetime.fromisoformat(r["timestamp"])), r["event_public_id"], float(r["value"])) for r in rows
    ]


def _left(public_id):
    """The files of an export, finished or not."""
    return list(files.folder("exports").glob(f"*{public_id}*"))


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_an_export_equals_the_database_and_says_so(app, lab, oscar, client_as, filled, kind):
    made = lab.export(oscar, format=kind)
    shown = client_as(oscar).get(f"{API}/{made.public_id}").json
    assert (shown["state"], shown["rows_done"], shown["rows_total"]) == ("done", 10, 10)
    answer = client_as(oscar).get(shown["download_url"])
    assert answer.status_code == 200
    assert shown["name"] in answer.headers["Content-Disposition"]
    data = answer.get_data()
    assert _read(kind, data) == _stored(app, *filled)
    assert (shown["bytes"], shown["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_a_small_selection_is_streamed_in_the_same_formats(app, vera, client_as, filled, kind):
    answer = client_as(vera).get(f"{API}/stream", query_string={"format": kind})
    assert answer.status_code == 200
    assert _read(kind, answer.get_data()) == _stored(app, *filled)


def test_a_selection_chooses_channels_times_and_experiments(lab, oscar, client_as, filled):
    client, (warm, cold) = client_as(oscar), filled
    run = lab.experiment(oscar, scope=[warm], started=NOON + timedelta(seconds=3))
    for wish, expected in (
        ({"event_public_ids": [cold.public_id]}, VALUES),
        ({"event_public_ids": [warm.public_id, cold.public_id], "stop": NOON}, [5.0]),
        ({"start": NOON + timedelta(seconds=4), "stop": NOON + timedelta(seconds=9)}, [1 / 3, 1 / 3]),
        ({"experiment_public_id": run.public_id}, [-1.5e-7, 1 / 3]),
        ({"experiment_public_id": run.public_id, "event_public_ids": [cold.public_id]}, []),
    ):
        query = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in wish.items()}
        streamed = client.get(f"{API}/stream", query_string=query).get_data()
        assert [value for _, _, value in _read("csv", streamed)] == expected
        made = lab.export(oscar, **query)
        assert client.get(f"{API}/{made.public_id}/file").get_data() == streamed


def test_what_a_spreadsheet_would_run_is_neutralised_in_csv_alone(oscar, client_as, filled):
    client = client_as(oscar)
    found = list(csv.DictReader(io.StringIO(client.get(f"{API}/stream").get_data(as_text=True), newline="")))
    assert {row["event_name"] for row in found} == {"Bed, upper", "'=1+1"}
    lines = client.get(f"{API}/stream?format=ndjson").get_data().splitlines()
    assert {json.loads(line)["event_name"] for line in lines} == {"Bed, upper", "=1+1"}
    first = json.loads(lines[0])
    assert first["public_id"] == datapoints.public_id(filled[0].public_id, clock.to_micros(NOON))
    assert first["timestamp"] == "2026-11-20T12:00:00.000000Z"


def test_a_parquet_file_has_the_documented_columns(oscar, client_as, filled):
    file = pq.ParquetFile(io.BytesIO(client_as(oscar).get(f"{API}/stream?format=parquet").get_data()))
    kinds = {field.name: str(field.type) for field in file.schema_arrow}
    word = "dictionary<values=string, indices=int32, ordered=0>"
    assert kinds == {
        "timestamp": "timestamp[us, tz=UTC]",
        "event_public_id": word,
        "event_name": word,
        "value": "double",
        "unit": word,
    }
    assert file.metadata.row_group(0).column(3).compression == "ZSTD"


def test_parquet_is_written_in_groups(lab, oscar, client_as, monkeypatch):
    monkeypatch.setattr(parquet, "GROUP_ROWS", 3_000)
    event = lab.event(oscar)
    lab.samples(event, [(clock.to_micros(NOON) + n * 1_000, float(n)) for n in range(10_000)])
    file = pq.ParquetFile(io.BytesIO(client_as(oscar).get(f"{API}/stream?format=parquet").get_data()))
    assert file.metadata.num_row_groups > 1
    assert file.read().column("value").to_pylist() == [float(n) for n in range(10_000)]


def test_without_pyarrow_parquet_is_refused_in_words(lab, oscar, client_as, filled, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    client = client_as(oscar)
    answer = client.get(f"{API}/stream?format=parquet")
    assert (answer.status_code, "pyarrow" in answer.json["detail"]) == (503, True)
    made = lab.export(oscar, format="parquet")
    shown = client.get(f"{API}/{made.public_id}").json
    assert (shown["state"], shown["error"], shown["download_url"]) == ("failed", parquet.MISSING, None)


def test_a_large_selection_is_not_streamed(oscar, client_as, filled, monkeypatch):
    monkeypatch.setattr(queries, "MOST_AT_ONCE", 9)
    refused = client_as(oscar).get(f"{API}/stream")
    assert refused.status_code == 422
    assert "in the background" in refused.json["detail"][0]["msg"]
    monkeypatch.setattr(queries, "MOST_AT_ONCE", 10)
    assert client_as(oscar).get(f"{API}/stream").status_code == 200


def test_a_broken_download_goes_on_where_it_broke_off(lab, oscar, client_as, filled):
    made, client = lab.export(oscar), client_as(oscar)
    whole = client.get(f"{API}/{made.public_id}/file").get_data()
    part = client.get(f"{API}/{made.public_id}/file", headers={"Range": "bytes=100-"})
    assert part.status_code == 206
    assert whole[100:] == part.get_data()


# --- whose it is ------------------------------------------------------------------------------------------------------


def test_everybody_sees_their_own_exports_and_administrators_all(lab, ada, oscar, vera, eve, client_as, filled):
    made = lab.export(vera)
    for person, status in ((vera, 200), (ada, 200), (oscar, 404), (eve, 404)):
        client = client_as(person)
        assert client.get(f"{API}/{made.public_id}").status_code == status
        assert client.get(f"{API}/{made.public_id}/file").status_code == status
        assert client.get(API).json["total"] == (1 if status == 200 else 0)
    for person in (oscar, eve):
        assert client_as(person).put(f"{API}/{made.public_id}/cancel").status_code == 404
        assert client_as(person).delete(f"{API}/{made.public_id}").status_code == 404
    assert client_as(ada).delete(f"{API}/{made.public_id}").status_code == 200


def test_an_export_holds_nothing_of_another_organization(lab, eve, client_as, filled):
    foreign, own = filled[0], lab.event(eve)
    lab.record(eve, own, 7, at=NOON)
    client = client_as(eve)
    made = lab.export(eve)
    assert [v for *_, v in _read("csv", client.get(f"{API}/{made.public_id}/file").get_data())] == [7.0]
    for wish in ({"event_public_ids": [foreign.public_id]}, {"experiment_public_id": "exp_x"}):
        assert client.post(API, {"format": "csv", **wish}).status_code == 404
        assert client.get(f"{API}/stream", query_string=wish).status_code == 404


# --- the life of an export --------------------------------------------------------------------------------------------


@pytest.fixture
def redis(site, app):
    """The application's Redis, empty."""
    with Redis.from_url(site.redis) as redis:
        redis.flushall()
        yield redis
        redis.flushall()


def _work(app, redis):
    with app.app_context():
        SimpleWorker([jobs.queue(app)], connection=redis).work(burst=True, logging_level="ERROR")


def test_the_worker_writes_what_was_asked_for_over_the_api(app, redis, oscar, client_as, filled):
    client = client_as(oscar)
    made = client.post(API, {"format": "ndjson", "event_public_ids": [filled[0].public_id]})
    assert (made.status_code, made.json["state"], made.json["download_url"]) == (201, "queued", None)
    path = f"{API}/{made.json['public_id']}"
    assert client.get(f"{path}/file").status_code == 404
    _work(app, redis)
    shown = client.get(path).json
    assert (shown["state"], shown["rows_done"]) == ("done", 5)
    assert shown["event_public_ids"] == [filled[0].public_id]


def test_ringing_twice_writes_once(app, lab, oscar, filled):
    made = lab.export(oscar)
    with app.app_context():
        before = queries.file_of(made).stat().st_mtime_ns
        export_jobs.write(made.public_id)
        assert queries.file_of(made).stat().st_mtime_ns == before
        assert db.session.get(Export, made.id, populate_existing=True).attempts == 1


def test_a_cancelled_export_is_not_written(app, redis, oscar, client_as, filled):
    client = client_as(oscar)
    public_id = client.post(API, {"format": "csv"}).json["public_id"]
    path = f"{API}/{public_id}"
    assert client.put(f"{path}/cancel").json["state"] == "cancelled"
    _work(app, redis)
    assert client.get(path).json["state"] == "cancelled"
    assert client.get(f"{path}/file").status_code == 404
    assert client.put(f"{path}/cancel").status_code == 409
    with app.app_context():
        assert _left(public_id) == []


def test_cancelling_stops_the_job_that_writes(app, lab, oscar, monkeypatch):
    event = lab.event(oscar)
    lab.samples(event, [(clock.to_micros(NOON) + n * 1_000, 1.0) for n in range(30_000)])
    made = lab.export(oscar, written=False)
    monkeypatch.setattr(export_jobs, "BEAT_EVERY", 0.0)
    slices, known = [], export_jobs._rows_written

    def cancelled_after_two(*given):
        for rows in known(*given):
            slices.append(rows)
            if len(slices) == 2:
                with lab.arrival():
                    operations.cancel(oscar.actor, made.public_id)
            yield rows

    monkeypatch.setattr(export_jobs, "_rows_written", cancelled_after_two)
    with app.app_context():
        export_jobs.write(made.public_id)
        found = db.session.get(Export, made.id, populate_existing=True)
        assert (found.state, found.rows_done, found.sha256) == ("cancelled", slices[0], None)
        assert len(slices) == 2
        assert _left(made.public_id) == []


def test_an_export_whose_job_died_is_written_by_another(app, lab, redis, oscar, client_as, filled):
    made = lab.export(oscar, written=False)
    redis.flushall()
    with lab.arrival():
        assert operations.claim(made.public_id) is not None
    with lab.arrival():
        assert operations.claim(made.public_id) is None, "somebody is at it"
    with app.app_context():
        export_jobs.sweep()
        assert jobs.queue(app).count == 0
        with time_machine.travel(clock.now() + DEAD):
            export_jobs.sweep()
            assert jobs.queue(app).count == 1
            _work(app, redis)
    shown = client_as(oscar).get(f"{API}/{made.public_id}").json
    assert (shown["state"], shown["rows_done"]) == ("done", 10)


def test_the_job_that_lost_its_export_changes_nothing(app, lab, oscar, filled):
    made = lab.export(oscar, written=False)
    with lab.arrival():
        first = operations.claim(made.public_id)
    with time_machine.travel(clock.now() + DEAD), app.app_context():
        export_jobs.write(made.public_id)
    with lab.arrival():
        assert not operations.progress(first, rows_done=3)
        assert not operations.settle(first, "failed", error="late")
        found = db.session.get(Export, made.id, populate_existing=True)
        assert (found.state, found.rows_done, found.error) == ("done", 10, None)


def test_an_export_whose_jobs_always_die_is_given_up(app, lab, redis, oscar, client_as):
    made = lab.export(oscar, written=False)
    with lab.arrival():
        db.session.execute(update(Export).values(attempts=work.ATTEMPTS - 1))
    with lab.arrival():
        operations.claim(made.public_id)
    with time_machine.travel(clock.now() + DEAD), app.app_context():
        export_jobs.sweep()
    shown = client_as(oscar).get(f"{API}/{made.public_id}").json
    assert (shown["state"], shown["error"]) == ("failed", work.GIVEN_UP)


def test_an_export_that_redis_forgot_is_rung_for_again(app, lab, redis, oscar, client_as, filled):
    made = lab.export(oscar, written=False)
    redis.flushall()
    with app.app_context():
        export_jobs.sweep()
    _work(app, redis)
    assert client_as(oscar).get(f"{API}/{made.public_id}").json["state"] == "done"


def test_a_file_is_kept_for_three_days_and_its_row_stays(app, lab, oscar, client_as, filled):
    made, client = lab.export(oscar), client_as(oscar)
    shown = client.get(f"{API}/{made.public_id}").json
    expires = datetime.fromisoformat(shown["expires_on"])
    assert timedelta(hours=71) < expires - datetime.now(UTC) <= timedelta(hours=72)
    with app.app_context():
        path = queries.file_of(made)
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        export_jobs.sweep()
        assert path.is_file()
        with time_machine.travel(expires + timedelta(seconds=1)):
            export_jobs.sweep()
        assert not path.exists()
    gone = client.get(f"{API}/{made.public_id}").json
    assert (gone["state"], gone["sha256"], gone["download_url"]) == ("expired", shown["sha256"], None)
    assert client.get(f"{API}/{made.public_id}/file").status_code == 404


def test_deleting_an_export_deletes_its_file(app, lab, oscar, client_as, filled):
    made = lab.export(oscar)
    assert client_as(oscar).delete(f"{API}/{made.public_id}").status_code == 200
    with app.app_context():
        assert _left(made.public_id) == []


def test_a_deletion_that_is_undone_keeps_the_file(app, lab, oscar, client_as, filled):
    made = lab.export(oscar)
    with app.app_context(), transaction() as arrival:
        operations.remove(oscar.actor, made.public_id)
        arrival.abandon()
    assert client_as(oscar).get(f"{API}/{made.public_id}/file").status_code == 200


def test_an_expiry_that_is_undone_keeps_the_file(app, lab, oscar, client_as, filled, monkeypatch):
    made = lab.export(oscar)
    late = datetime.now(UTC) + timedelta(hours=73)

    def broken():
        raise OSError("the network cable")

    monkeypatch.setattr(operations, "left_behind", broken)
    with app.app_context(), time_machine.travel(late), pytest.raises(OSError, match="cable"):
        export_jobs.sweep()
    assert client_as(oscar).get(f"{API}/{made.public_id}/file").status_code == 200


def test_a_file_whose_row_is_gone_is_swept_away_and_no_other(app, lab, oscar, filled):
    orphan, wanted = lab.export(oscar), lab.export(oscar)
    with lab.arrival():  # as if the server had died between the commit and the file
        db.session.execute(delete(Export).where(Export.id == orphan.id))
    with app.app_context():
        export_jobs.sweep()
        assert len(_left(orphan.public_id)) == 1, "its row may be about to be written"
        with time_machine.travel(clock.now() + timedelta(hours=2)):
            export_jobs.sweep()
        assert _left(orphan.public_id) == []
        assert len(_left(wanted.public_id)) == 1


@pytest.mark.parametrize(
    "error",
    [
        sqlite3.OperationalError("database is locked"),
        psycopg.errors.AdminShutdown("terminating connection due to administrator command"),
        psycopg.InterfaceError("the connection is closed"),
    ],
    ids=["busy", "stopped", "closed"],
)
def test_an_export_whose_database_goes_away_is_written_later(app, lab, oscar, client_as, filled, monkeypatch, error):
    made = lab.export(oscar, written=False)
    known = queries.columns

    def interrupted(*given):
        yield next(known(*given))
        raise error

    with app.app_context():
        with monkeypatch.context() as patched:
            patched.setattr(queries, "columns", interrupted)
            with pytest.raises(type(error)):
                export_jobs.write(made.public_id)
        assert _left(made.public_id) == []
        assert client_as(oscar).get(f"{API}/{made.public_id}").json["state"] == "running"
        with time_machine.travel(clock.now() + DEAD):
            assert operations.left_behind() == [made.public_id]
            export_jobs.write(made.public_id)
    shown = client_as(oscar).get(f"{API}/{made.public_id}").json
    assert (shown["state"], shown["rows_done"], shown["error"]) == ("done", 10, None)


def test_an_export_whose_connection_is_cut_is_written_later(app, lab, database, oscar, client_as, monkeypatch):
    if database == "sqlite":
        pytest.skip("a file has no connections that somebody could cut")
    event = lab.event(oscar)
    lab.samples(event, [(clock.to_micros(NOON) + n * 1_000, 1.0) for n in range(30_000)])
    made = lab.export(oscar, written=False)
    known = export_jobs._rows_written

    def cut(*given):
        rows = known(*given)
        yield next(rows)
        with db.engine.connect() as other:
            other.execute(text(CUT))
        yield from rows

    with app.app_context():
        with monkeypatch.context() as patched:
            patched.setattr(export_jobs, "_rows_written", cut)
            with pytest.raises(Exception) as gone:  # noqa: PT011 - whose error it is, is what is asked next
                export_jobs.write(made.public_id)
        assert outage.is_away(gone.value)
        with time_machine.travel(clock.now() + DEAD):
            export_jobs.write(made.public_id)
    shown = client_as(oscar).get(f"{API}/{made.public_id}").json
    assert (shown["state"], shown["rows_done"]) == ("done", 30_000)


def test_the_number_of_rows_is_known_from_rollups_too(app, lab, oscar, client_as, monkeypatch):
    """Also when some of what is chosen was let go, came late or is not folded yet."""
    event, start = lab.event(oscar), clock.to_micros(NOON - timedelta(days=30))
    lab.samples(event, [(start + n * 60_000_000, 1.0) for n in range(3_000)])
    with app.app_context():
        while rollups.fold(db.engine):
            pass
    lab.samples(event, [(start + n * 60_000_000 + 1, 1.0) for n in range(20)])
    made = lab.export(oscar, start=clock.from_micros(start + 90_000_000), written=False)
    totals = []
    monkeypatch.setattr(export_jobs, "_beat", lambda _task, **values: totals.append(values.get("rows_total")))
    with app.app_context():
        export_jobs.write(made.public_id)
    assert totals[0] == client_as(oscar).get(f"{API}/{made.public_id}").json["rows_done"] == 3_000 - 2 + 20 - 2
    monkeypatch.setattr(queries, "MOST_AT_ONCE", 3_015)
    query = {"format": "csv", "start": clock.from_micros(start + 90_000_000).isoformat()}
    assert client_as(oscar).get(f"{API}/stream", query_string=query).status_code == 422
    monkeypatch.setattr(queries, "MOST_AT_ONCE", 3_016)
    assert client_as(oscar).get(f"{API}/stream", query_string=query).status_code == 200


def test_a_full_disk_ends_the_export_with_a_sentence_and_leaves_nothing(
    app, lab, oscar, client_as, filled, monkeypatch
):
    monkeypatch.setattr(files, "SPARE", 1 << 60)
    made = lab.export(oscar)
    shown = client_as(oscar).get(f"{API}/{made.public_id}").json
    assert shown["state"] == "failed"
    assert "not enough space" in shown["error"]
    with app.app_context():
        assert _left(made.public_id) == []


def test_what_was_deleted_before_it_was_written_ends_the_export_with_a_sentence(lab, oscar, client_as, filled):
    run = lab.experiment(oscar)
    made = lab.export(oscar, written=False, experiment_public_id=run.public_id)
    client = client_as(oscar)
    client.delete(f"/api/v1/experiments/{run.public_id}?keep_data=true")
    with lab.app.app_context():
        export_jobs.write(made.public_id)
    shown = client.get(f"{API}/{made.public_id}").json
    assert (shown["state"], shown["error"]) == ("failed", f"Experiment '{run.public_id}' not found.")


def test_without_a_redis_creating_says_what_is_missing(app, oscar, client_as, monkeypatch):
    monkeypatch.setitem(app.config, "REDIS_URL", None)
    refused = client_as(oscar).post(API, {"format": "csv"})
    assert (refused.status_code, "REDIS_URL" in refused.json["detail"]) == (503, True)
    assert client_as(oscar).get(f"{API}/stream").status_code == 200


def test_nobody_keeps_the_worker_busy_with_hundreds(lab, oscar, vera, client_as):
    for _ in range(operations.MOST_OPEN):
        lab.export(oscar, written=False)
    assert client_as(oscar).post(API, {"format": "csv"}).status_code == 409
    assert client_as(vera).post(API, {"format": "csv"}).status_code == 201
