"""Imports: what is read, what is refused, and that nothing is recorded twice or by accident."""

import io
import json
import sqlite3
from datetime import UTC, datetime, timedelta

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import time_machine
from redis import Redis
from rq import SimpleWorker
from sqlalchemy import select

from tests.make import NOON
from webmacs.core import clock, jobs, work
from webmacs.core.db import db, transaction
from webmacs.features.datapoints.facts import DatapointsRecorded
from webmacs.features.datapoints.models import datapoints as table
from webmacs.features.exports import jobs as export_jobs
from webmacs.features.exports import queries as exports
from webmacs.features.imports import jobs as import_jobs
from webmacs.features.imports import operations, queries
from webmacs.features.imports.models import Import

API = "/api/v1/imports"
LONG = {"shape": "long", "timestamp_column": "time", "value_column": "value"}
DEAD = work.DEAD_AFTER + timedelta(seconds=1)


def _stored(app, *events):
    """(ISO time, number of the event, value) as the database has them."""
    places = {event.id: place for place, event in enumerate(events)}
    with app.app_context():
        rows = db.session.execute(select(table.c.ts, table.c.event_id, table.c.value).order_by("ts", "event_id")).all()
    return [(clock.from_micros(ts).isoformat()[:-6], places[event_id], value) for ts, event_id, value in rows]


def _sent(client, content, name="history.csv", **fields):
    data = content.encode() if isinstance(content, str) else content
    sent = {"file": (io.BytesIO(data), name), **fields}
    return client.send("POST", API, data=sent, content_type="multipart/form-data")


def _run(app, client, content, mapping, verb="start"):
    """Upload, map and carry out; the import as it is then."""
    made = _sent(client, content)
    assert made.status_code == 201, made.json
    path = f"{API}/{made.json['public_id']}"
    mapped = client.put(path, mapping)
    assert mapped.status_code == 200, mapped.json
    assert client.put(f"{path}/{verb}").json["state"] == "queued"
    with app.app_context():
        import_jobs.carry_out(made.json["public_id"])
    return client.get(path).json


def test_a_long_file_of_one_channel_is_recorded(app, lab, oscar, client_as):
    event = lab.event(oscar)
    shown = _run(
        app,
        client_as(oscar),
        "time,value\n2026-11-20T12:00:00Z,1.5\n2026-11-20T13:00:01+01:00,-2e3\n",
        {**LONG, "event_public_id": event.public_id},
    )
    assert (shown["state"], shown["rows_done"], shown["accepted"], shown["rejected"]) == ("done", 2, 2, 0)
    assert _stored(app, event) == [("2026-11-20T12:00:00", 0, 1.5), ("2026-11-20T12:00:01", 0, -2000.0)]
    latest = client_as(oscar).get("/api/v1/datapoints/latest").json
    assert [point["value"] for point in latest] == [-2000.0]


def test_a_column_names_the_channel_by_id_by_name_or_by_a_word_of_its_own(app, lab, oscar, client_as):
    events = [lab.event(oscar, name="Inlet"), lab.event(oscar, name="Outlet"), lab.event(oscar)]
    text = f"time,who,value\n1763640000,Inlet,1\n1763640000,{events[1].public_id},2\n1763640000,PT100-7,3\n"
    mapping = {**LONG, "timestamp_format": "s", "channel_column": "who", "channels": {"PT100-7": events[2].public_id}}
    assert _run(app, client_as(oscar), text, mapping)["accepted"] == 3
    assert [row[1:] for row in _stored(app, *events)] == [(0, 1.0), (1, 2.0), (2, 3.0)]


def test_a_wide_file_has_a_column_for_each_channel_and_empty_cells_are_no_values(app, lab, oscar, client_as):
    events = [lab.event(oscar), lab.event(oscar)]
    mapping = {
        "shape": "wide",
        "timestamp_column": "Zeit",
        "timezone": "Europe/Berlin",
        "delimiter": ";",
        "decimal": ",",
        "columns": {"T 1": events[0].public_id, "T 2": events[1].public_id},
    }
    text = "\ufeffZeit;T 1;note;T 2\r\n2026-11-20 12:00:00;1,5;x;\r\n2026-07-01 12:00:00;;y;2,25\r\n"
    shown = _run(app, client_as(oscar), text, mapping)
    assert (shown["rows_done"], shown["accepted"], shown["rejected"]) == (2, 2, 0)
    assert _stored(app, *events) == [("2026-07-01T10:00:00", 1, 2.25), ("2026-11-20T11:00:00", 0, 1.5)]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("s", "1763640000.25"),
        ("ms", "1763640000250"),
        ("us", "1763640000250000"),
        ("iso", "2025-11-20T12:00:00.25"),
        ("iso", "2025-11-20 12:00:00.250000Z"),
    ],
)
def test_times_are_read_in_every_offered_form(app, lab, oscar, client_as, kind, text):
    event = lab.event(oscar)
    mapping = {**LONG, "event_public_id": event.public_id, "timestamp_format": kind}
    _run(app, client_as(oscar), f"time,value\n{text},1\n", mapping)
    assert _stored(app, event) == [("2025-11-20T12:00:00.250000", 0, 1.0)]


BAD = """time,who,value
2026-11-20T12:00:00,{id},1
,{id},1
yesterday,{id},1
1969-12-31T00:00:00,{id},1
2026-11-20T12:00:01,{id},
2026-11-20T12:00:02,{id},many
2026-11-20T12:00:03,{id},nan
2026-11-20T12:00:04,evt_nothing,1
2026-11-20T12:00:05
2026-11-20T12:00:06,{id},1_0
2026-11-20T12:00:07,{id},2
"""
REASONS = [
    (3, "the time is missing"),
    (4, "the time cannot be read"),
    (5, "the time does not lie between 1970 and 2200"),
    (6, "the value is missing"),
    (7, "the value is not a number"),
    (10, "the row is shorter than the header"),
    (11, "the value is not a number"),
    (8, "value is not a finite number"),
    (9, "unknown event"),
]


@pytest.mark.parametrize("verb", ["check", "start"])
def test_bad_rows_are_listed_and_spoil_nothing_and_a_check_records_nothing(app, lab, oscar, client_as, verb):
    event = lab.event(oscar)
    mapping = {**LONG, "channel_column": "who"}
    shown = _run(app, client_as(oscar), BAD.format(id=event.public_id), mapping, verb)
    assert [(problem["line"], problem["reason"]) for problem in shown["problems"]] == REASONS
    assert (shown["rows_done"], shown["accepted"], shown["rejected"]) == (11, 2, 9)
    if verb == "check":
        assert (shown["state"], shown["is_check"], _stored(app, event)) == ("checked", True, [])
    else:
        assert [value for *_, value in _stored(app, event)] == [1.0, 2.0]


def test_what_was_checked_is_then_recorded(app, lab, oscar, client_as):
    event, client = lab.event(oscar), client_as(oscar)
    shown = _run(app, client, "time,value\n2026-11-20,1\n", {**LONG, "event_public_id": event.public_id}, "check")
    path = f"{API}/{shown['public_id']}"
    assert client.put(f"{path}/start").status_code == 200
    with app.app_context():
        import_jobs.carry_out(shown["public_id"])
        assert not queries.path_of(shown["public_id"]).exists(), "the file goes with the end of the import"
    assert client.get(path).json["state"] == "done"
    assert len(_stored(app, event)) == 1
    assert client.put(f"{path}/start").status_code == 409
    assert client.get(f"{path}/preview").status_code == 409


def test_only_the_first_hundred_problems_are_listed(app, lab, oscar, client_as):
    event = lab.event(oscar)
    shown = _run(app, client_as(oscar), "time,value\n" + ",1\n" * 250, {**LONG, "event_public_id": event.public_id})
    assert (shown["rejected"], len(shown["problems"]), shown["problems"][-1]["line"]) == (250, 100, 101)


def test_importing_twice_is_importing_once_and_what_was_recorded_stays(app, lab, oscar, client_as):
    event = lab.event(oscar)
    lab.record(oscar, event, 7, at=NOON)
    text = "time,value\n" + "".join(f"2026-11-20T12:00:{n:02d},{n}\n" for n in range(60))
    for _ in range(2):
        shown = _run(app, client_as(oscar), text, {**LONG, "event_public_id": event.public_id})
        assert (shown["state"], shown["accepted"]) == ("done", 60)
    stored = _stored(app, event)
    assert [value for *_, value in stored] == [7.0, *(float(n) for n in range(1, 60))]


def test_what_an_export_wrote_an_import_reads_back(app, lab, oscar, client_as):
    events = [lab.event(oscar, name='=a "b",c'), lab.event(oscar)]
    for event in events:
        lab.record(oscar, event, 0.1, 1e300, -5e-324, 1 / 3, at=NOON)
    before = _stored(app, *events)
    for kind in ("csv", "parquet"):
        made = lab.export(oscar, written=False, format=kind)
        with app.app_context():
            export_jobs.write(made.public_id)
            data = exports.file_of(made).read_bytes()
        with lab.arrival():
            db.session.execute(table.delete())
        mapping = {**LONG, "timestamp_column": "timestamp", "channel_column": "event_public_id"}
        shown = _run(app, client_as(oscar), data, mapping)
        assert (shown["state"], shown["format"], shown["rejected"]) == ("done", kind, 0)
        assert _stored(app, *events) == before


def test_a_parquet_file_of_other_kinds_of_columns_is_read(app, lab, oscar, client_as):
    event = lab.event(oscar)
    moments = pa.array([clock.to_micros(NOON) * 1000 + 999, None], pa.timestamp("ns"))
    sink = io.BytesIO()
    pq.write_table(pa.table({"time": moments, "value": pa.array([3, 4], pa.int16())}), sink)
    shown = _run(app, client_as(oscar), sink.getvalue(), {**LONG, "event_public_id": event.public_id})
    assert (shown["format"], shown["rows_total"], shown["problems"]) == (
        "parquet",
        2,
        [{"line": 3, "reason": "the time is missing"}],
    )
    assert _stored(app, event) == [("2026-11-20T12:00:00", 0, 3.0)]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"PAR1 and then nothing", "not a Parquet file"), (b"\n\n", "no header"), (b"a,a\n1,2\n", "2 columns “a”")],
)
def test_a_file_that_cannot_be_read_is_refused_in_words(lab, oscar, client_as, content, sentence):
    event, client = lab.event(oscar), client_as(oscar)
    made = _sent(client, content)
    mapping = {**LONG, "timestamp_column": "a", "value_column": "a", "event_public_id": event.public_id}
    path = f"{API}/{made.json['public_id']}"
    assert client.put(path, mapping).status_code == 200
    refused = client.put(f"{path}/check")
    assert refused.status_code == 422
    assert sentence in refused.json["detail"][0]["msg"]


def test_a_preview_shows_the_columns_and_the_first_rows(oscar, client_as):
    client = client_as(oscar)
    made = _sent(client, "time;value\n" + "2026;1\n" * 50).json
    shown = client.get(f"{API}/{made['public_id']}/preview").json
    assert (shown["columns"], shown["delimiter"], shown["rows"]) == (["time", "value"], ";", [["2026", "1"]] * 5)


def test_one_request_is_enough(app, site, lab, oscar, client_as):
    event, client = lab.event(oscar), client_as(oscar)
    mapping = json.dumps({**LONG, "event_public_id": event.public_id})
    with Redis.from_url(site.redis) as redis:
        redis.flushall()
        made = _sent(client, "time,value\n2026-11-20,1\n", mapping=mapping, start="true")
        assert (made.status_code, made.json["state"]) == (201, "queued")
        with app.app_context():
            SimpleWorker([jobs.queue(app)], connection=redis).work(burst=True, logging_level="ERROR")
    assert client.get(f"{API}/{made.json['public_id']}").json["state"] == "done"
    assert len(_stored(app, event)) == 1


@pytest.mark.parametrize(
    "mapping",
    [
        {},
        {"shape": "long"},
        LONG,
        {**LONG, "event_public_id": "e", "channel_column": "c"},
        {"shape": "wide", "timestamp_column": "time"},
        {**LONG, "event_public_id": "e", "timezone": "Moon/Tycho"},
        {**LONG, "event_public_id": "e", "timezone": "../etc/passwd"},
        {**LONG, "event_public_id": "e", "delimiter": "|"},
    ],
)
def test_a_mapping_that_does_not_fit_is_refused(oscar, client_as, mapping):
    client = client_as(oscar)
    made = _sent(client, "time,value\n2026,1\n").json
    path = f"{API}/{made['public_id']}"
    statuses = [client.put(path, mapping).status_code, client.put(f"{path}/start").status_code]
    assert statuses in ([422, 409], [200, 422], [404, 409])
    assert client.get(path).json["state"] == "uploaded"
    assert _sent(client, "time,value\n", mapping=json.dumps(mapping)).status_code == 422


def test_a_file_must_be_there_and_not_be_too_large(app, oscar, client_as, monkeypatch):
    client = client_as(oscar)
    assert client.send("POST", API, data={"x": "y"}, content_type="multipart/form-data").status_code == 422
    assert _sent(client, "").status_code == 422
    large = "time,value\n" + "x" * 3_000_000
    assert _sent(client, large).status_code == 201, "files may be larger than other bodies"
    monkeypatch.setitem(app.config, "MAX_UPLOAD_BYTES", 2_500_000)
    assert _sent(client, large).status_code == 413
    with app.app_context():
        assert len(list(queries.files.folder("imports").iterdir())) >= 1


def test_without_a_redis_uploading_says_what_is_missing(app, oscar, client_as, monkeypatch):
    monkeypatch.setitem(app.config, "REDIS_URL", None)
    refused = _sent(client_as(oscar), "time,value\n")
    assert (refused.status_code, "REDIS_URL" in refused.json["detail"]) == (503, True)


# --- whose it is ------------------------------------------------------------------------------------------------------


def test_viewers_import_nothing_and_other_organizations_see_nothing(lab, oscar, vera, eve, client_as):
    made = lab.upload(oscar, "time,value\n")
    for person, status in ((vera, 403), (eve, 404)):
        client = client_as(person)
        assert client.get(f"{API}/{made.public_id}").status_code == status
        assert client.get(f"{API}/{made.public_id}/preview").status_code == status
        for verb in ("check", "start", "cancel"):
            assert client.put(f"{API}/{made.public_id}/{verb}").status_code == status
        assert client.delete(f"{API}/{made.public_id}").status_code == status
    assert _sent(client_as(vera), "time,value\n").status_code == 403
    assert _sent(client_as(None), "time,value\n").status_code == 401


def test_channels_of_another_organization_cannot_be_named(app, lab, oscar, eve, client_as):
    mine, theirs, client = lab.event(oscar), lab.event(eve), client_as(oscar)
    made = lab.upload(oscar, f"time,value,who\n2026-11-20,1,{theirs.public_id}\n")
    path = f"{API}/{made.public_id}"
    assert client.put(path, {**LONG, "event_public_id": theirs.public_id}).status_code == 404
    client.put(path, {**LONG, "channel_column": "who"})
    client.put(f"{path}/start")
    with app.app_context():
        import_jobs.carry_out(made.public_id)
    assert client.get(path).json["problems"] == [{"line": 2, "reason": "unknown event"}]
    assert _stored(app, mine, theirs) == []


# --- the life of an import --------------------------------------------------------------------------------------------


def _ready(lab, oscar, rows):
    """An import that waits for its job, over `rows` rows a second apart."""
    event = lab.event(oscar)
    start = int(NOON.timestamp())
    made = lab.upload(oscar, "time,value\n" + "".join(f"{start + n},{n}\n" for n in range(rows)))
    mapping = operations.Mapping(
        shape="long",
        timestamp_column="time",
        timestamp_format="s",
        value_column="value",
        event_public_id=event.public_id,
    )
    with lab.arrival():
        operations.set_mapping(oscar.actor, made.public_id, mapping)
        operations.start(oscar.actor, made.public_id)
    return event, made


def _state(app, made):
    with app.app_context():
        found = db.session.scalars(select(Import).where(Import.id == made.id)).one()
        return found.state, found.rows_done, found.accepted


def test_cancelling_stops_the_job_between_two_batches(app, lab, oscar, monkeypatch):
    event, made = _ready(lab, oscar, 50)
    monkeypatch.setattr(import_jobs, "BATCH", 20)
    known = import_jobs._admitted

    def cancelled_at_the_second(lines, *others):
        if lines[0][0] > 2:
            with lab.arrival():
                operations.cancel(oscar.actor, made.public_id)
        return known(lines, *others)

    monkeypatch.setattr(import_jobs, "_admitted", cancelled_at_the_second)
    with app.app_context():
        import_jobs.carry_out(made.public_id)
        assert not queries.path_of(made.public_id).exists()
    assert _state(app, made) == ("cancelled", 20, 20)
    assert len(_stored(app, event)) == 20


def test_an_import_whose_job_died_is_carried_out_by_another(app, lab, oscar, monkeypatch):
    event, made = _ready(lab, oscar, 50)
    monkeypatch.setattr(import_jobs, "BATCH", 20)
    known, batches = operations.progress, []

    def killed_in_the_third(*given, **named):
        batches.append(1)
        if len(batches) == 3:
            raise KeyboardInterrupt
        return known(*given, **named)

    with app.app_context():
        with monkeypatch.context() as patched:
            patched.setattr(operations, "progress", killed_in_the_third)
            with pytest.raises(KeyboardInterrupt):
                import_jobs.carry_out(made.public_id)
        assert len(_stored(app, event)) == 40
        import_jobs.carry_out(made.public_id)
        assert _state(app, made)[0] == "running", "nobody else takes it while it seems to be alive"
        with time_machine.travel(clock.now() + DEAD):
            import_jobs.carry_out(made.public_id)
    assert _state(app, made) == ("done", 50, 50)
    assert len(_stored(app, event)) == 50


def test_an_upload_that_nobody_goes_on_with_is_forgotten(app, lab, oscar):
    made = lab.upload(oscar, "time,value\n")
    with app.app_context():
        import_jobs.sweep()
        assert queries.path_of(made.public_id).is_file()
        with time_machine.travel(datetime.now(UTC) + operations.KEEP + timedelta(seconds=1)):
            import_jobs.sweep()
        assert not queries.path_of(made.public_id).exists()
    assert _state(app, made)[0] == "expired"


def test_what_is_undone_keeps_the_file(app, lab, oscar, monkeypatch):
    _, made = _ready(lab, oscar, 3)
    with app.app_context():
        for verb in (operations.cancel, operations.remove):
            with transaction() as arrival:
                verb(oscar.actor, made.public_id)
                arrival.abandon()
        with transaction() as arrival:
            assert operations.settle(operations.claim(made.public_id), "done")
            arrival.abandon()
        assert queries.path_of(made.public_id).is_file()
        import_jobs.carry_out(made.public_id)
        assert not queries.path_of(made.public_id).exists()
    assert _state(app, made) == ("done", 3, 3)


@pytest.mark.parametrize(
    "error",
    [sqlite3.OperationalError("database is locked"), psycopg.errors.AdminShutdown("terminating connection")],
    ids=["busy", "stopped"],
)
def test_an_import_whose_database_goes_away_is_carried_out_later(app, lab, oscar, monkeypatch, error):
    event, made = _ready(lab, oscar, 50)
    monkeypatch.setattr(import_jobs, "BATCH", 20)

    def interrupted(*_given):
        raise error

    with app.app_context():
        with monkeypatch.context() as patched:
            patched.setattr(operations, "driver", interrupted)
            with pytest.raises(type(error)):
                import_jobs.carry_out(made.public_id)
        assert _state(app, made)[0] == "running"
        with time_machine.travel(clock.now() + DEAD):
            import_jobs.carry_out(made.public_id)
    assert _state(app, made) == ("done", 50, 50)
    assert len(_stored(app, event)) == 50


def test_importing_wakes_no_live_view_and_no_rule(app, lab, oscar, monkeypatch):
    """History is not news."""
    event, made = _ready(lab, oscar, 3)
    heard = []
    monkeypatch.setattr("webmacs.core.facts.reactions.after", heard.append)
    with app.app_context():
        import_jobs.carry_out(made.public_id)
    assert len(_stored(app, event)) == 3
    assert [fact for fact in heard if isinstance(fact, DatapointsRecorded)] == []
