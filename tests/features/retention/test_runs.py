"""Retention: what is old enough goes, what is held or younger never, and the rollups tell what was there."""

import sqlite3
from datetime import timedelta

import psycopg
import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from webmacs.core import clock, work
from webmacs.core.db import db
from webmacs.core.identity import Role
from webmacs.features.datapoints import rollups
from webmacs.features.datapoints.models import datapoints
from webmacs.features.datapoints.models import rollups as rollup_table
from webmacs.features.retention import jobs, operations

ROOT = "/api/v1/retention"
DAY = 86_400_000_000
AGES = st.integers(1, 120)


def _ago(days):
    return clock.now() - timedelta(days=days)


def _fold(app):
    with app.app_context():
        while rollups.fold(db.engine):
            pass


def _run(app, client):
    started = client.post(f"{ROOT}/runs")
    assert started.status_code == 201
    with app.app_context():
        jobs.carry_out(started.json["public_id"])
    return client.get(f"{ROOT}/runs").json["data"][0]


def _points(app, event=None):
    with app.app_context():
        chosen = select(datapoints.c.event_id, datapoints.c.ts).order_by(datapoints.c.event_id, datapoints.c.ts)
        found = [tuple(row) for row in db.session.execute(chosen)]
    return [ts for event_id, ts in found if event_id == event.id] if event else found


def _rollups(app):
    with app.app_context():
        return db.session.execute(select(rollup_table.c.event_id, rollup_table.c.start)).all()


def _fill(lab, event, days):
    """A point for each of these ages in days; returns age → moment."""
    moments = {days_ago: clock.to_micros(_ago(days_ago)) for days_ago in days}
    lab.samples(event, [(ts, float(age)) for age, ts in moments.items()])
    return moments


def test_everything_is_kept_for_ever_until_somebody_says_otherwise(app, lab, ada, client_as):
    _fill(lab, lab.event(ada), [1, 400, 4000])
    _fold(app)
    assert client_as(ada).get(ROOT).json == {"raw_days": None, "rollup_days": None}
    assert _run(app, client_as(ada))["points"] == 0
    assert len(_points(app)) == 3


def test_old_points_go_and_their_rollups_stay(app, lab, ada, client_as):
    event = lab.event(ada, name="Furnace")
    moments = _fill(lab, event, [1, 5, 40, 41, 90])
    _fold(app)
    before = _rollups(app)
    client = client_as(ada)
    assert client.put(ROOT, {"raw_days": 30, "rollup_days": None}).json["raw_days"] == 30
    preview = client.get(f"{ROOT}/preview").json
    assert preview["points"] == preview["channels"][0]["points"] == 3
    assert len(_points(app)) == 5
    run = _run(app, client)
    assert (run["state"], run["points"], run["rollups"], run["detail"]) == ("done", 3, 0, {"Furnace": 3})
    assert _points(app, event) == sorted(moments[age] for age in (1, 5))
    _fold(app)
    assert _rollups(app) == before
    assert "Retention deleted 3 values" in client.get("/api/v1/logging").json["data"][0]["content"]


def test_rollups_go_when_their_own_time_is_over(app, lab, ada, client_as):
    event = lab.event(ada)
    _fill(lab, event, [1, 40, 90])
    _fold(app)
    client_as(ada).put(ROOT, {"raw_days": 10, "rollup_days": 60})
    run = _run(app, client_as(ada))
    assert run["points"] == 2
    assert run["rollups"] > 0
    oldest = min(start for _, start in _rollups(app))
    assert clock.to_micros(_ago(62)) < oldest < clock.to_micros(_ago(39))


def test_a_channel_may_keep_more_or_less_than_the_others(app, lab, ada, client_as):
    short, long, other = lab.event(ada), lab.event(ada), lab.event(ada)
    for event in (short, long, other):
        _fill(lab, event, [1, 10, 100])
    _fold(app)
    client = client_as(ada)
    client.put(ROOT, {"raw_days": 50, "rollup_days": None})
    client.put(f"{ROOT}/events/{short.public_id}", {"raw_days": 5, "rollup_days": 50})
    client.put(f"{ROOT}/events/{long.public_id}", {"raw_days": None, "rollup_days": None})
    assert client.get(f"{ROOT}/events/{long.public_id}").json["is_own"]
    _run(app, client)
    assert [len(_points(app, event)) for event in (short, long, other)] == [1, 3, 2]
    assert not client.delete(f"{ROOT}/events/{long.public_id}").json["is_own"]
    _run(app, client)
    assert len(_points(app, long)) == 2


def test_another_organization_is_none_of_our_business(app, lab, ada, eve, client_as):
    theirs = lab.event(eve)
    _fill(lab, theirs, [1, 400])
    _fold(app)
    client_as(ada).put(ROOT, {"raw_days": 1, "rollup_days": 1})
    _run(app, client_as(ada))
    assert len(_points(app, theirs)) == 2
    assert client_as(eve).get(ROOT).json["raw_days"] is None
    assert client_as(eve).get(f"{ROOT}/runs").json["data"] == []


def test_what_is_on_hold_is_deleted_by_nothing(app, lab, ada, oscar, client_as):
    event, free = lab.event(ada), lab.event(ada)
    moments = _fill(lab, event, [40, 50, 60])
    _fill(lab, free, [40, 50, 60])
    _fold(app)
    run = lab.experiment(oscar, scope=[event], started=_ago(55), stopped=_ago(45))
    path = f"/api/v1/experiments/{run.public_id}"
    operator, admin = client_as(oscar), client_as(ada)
    assert operator.put(f"{path}/hold", {"hold": True}).status_code == 200
    assert operator.get(path).json["is_held"]
    admin.put(ROOT, {"raw_days": 1, "rollup_days": 1})
    _run(app, admin)
    assert _points(app, event) == [moments[50]]
    assert _points(app, free) == []
    kept = admin.get("/api/v1/datapoints").json["data"][0]["public_id"]
    assert operator.delete(f"/api/v1/datapoints/{kept}").status_code == 409
    assert operator.delete(path).status_code == operator.delete(f"{path}?keep_data=true").status_code == 409
    assert operator.delete(f"/api/v1/events/{event.public_id}").status_code == 409
    assert operator.put(f"{path}/hold", {"hold": False}).status_code == 403
    assert admin.put(f"{path}/hold", {"hold": False}).status_code == 200
    _run(app, admin)
    assert _points(app, event) == []
    assert operator.delete(f"/api/v1/events/{event.public_id}").status_code == 200


def test_nothing_goes_before_its_rollups_tell_of_it(app, lab, ada, client_as):
    _fill(lab, lab.event(ada), [1, 40])
    client_as(ada).put(ROOT, {"raw_days": 7, "rollup_days": None})
    assert _run(app, client_as(ada))["points"] == 0
    _fold(app)
    assert _run(app, client_as(ada))["points"] == 1


def test_many_points_go_in_steps(app, lab, ada, client_as, monkeypatch):
    monkeypatch.setattr(operations, "STEP_ROWS", 7)
    event, start = lab.event(ada), clock.to_micros(_ago(40))
    lab.samples(event, [(start + n, 1.0) for n in range(50)])
    _fold(app)
    client_as(ada).put(ROOT, {"raw_days": 7, "rollup_days": None})
    assert _run(app, client_as(ada))["points"] == 50
    assert _points(app) == []


def test_a_run_that_was_rung_twice_works_once(app, lab, ada, client_as):
    client = client_as(ada)
    run = client.post(f"{ROOT}/runs").json
    assert client.post(f"{ROOT}/runs").status_code == 409
    with app.app_context():
        jobs.carry_out(run["public_id"])
        jobs.carry_out(run["public_id"])
    assert client.get(f"{ROOT}/runs").json["total"] == 1


@pytest.mark.parametrize(
    "error",
    [sqlite3.OperationalError("database is locked"), psycopg.errors.AdminShutdown("terminating connection")],
    ids=["busy", "stopped"],
)
def test_a_run_whose_database_goes_away_is_carried_out_later(app, lab, ada, client_as, monkeypatch, error):
    _fill(lab, lab.event(ada), [40, 41])
    client = client_as(ada)
    client.put(ROOT, {"raw_days": 30, "rollup_days": None})
    run = client.post(f"{ROOT}/runs").json

    def interrupted(*_given):
        raise error

    with app.app_context():
        _fold(app)
        with monkeypatch.context() as patched:
            patched.setattr(rollups, "let_go", interrupted)
            with pytest.raises(type(error)):
                jobs.carry_out(run["public_id"])
        assert client.get(f"{ROOT}/runs").json["data"][0]["state"] == "running"
        with time_machine.travel(clock.now() + work.DEAD_AFTER + timedelta(seconds=1)):
            jobs.carry_out(run["public_id"])
    ended = client.get(f"{ROOT}/runs").json["data"][0]
    assert (ended["state"], ended["points"]) == ("done", 2)


def test_the_day_asks_for_a_run_only_where_something_may_go(app, lab, ada, eve, client_as):
    lab.event(ada)
    client_as(eve).put(ROOT, {"raw_days": 5, "rollup_days": None})
    with app.app_context():
        jobs.daily()
        jobs.daily()
    assert client_as(ada).get(f"{ROOT}/runs").json["total"] == 0
    assert client_as(eve).get(f"{ROOT}/runs").json["total"] == 1


@pytest.mark.parametrize(
    "body",
    [{"raw_days": 5, "rollup_days": 4}, {"raw_days": None, "rollup_days": 4}, {"raw_days": 0, "rollup_days": None}],
)
def test_a_policy_that_makes_no_sense_is_refused(lab, ada, client_as, body):
    assert client_as(ada).put(ROOT, body).status_code == 422
    assert client_as(ada).get(ROOT).json["raw_days"] is None


def test_whole_partitions_are_dropped_when_nobody_keeps_anything_of_them(app, lab, ada, client_as, database):
    events = [lab.event(ada) for _ in range(2)]
    for event in events:
        _fill(lab, event, [1, 100, 160])
    _fold(app)
    client = client_as(ada)
    client.put(ROOT, {"raw_days": 30, "rollup_days": None})
    client.put(f"{ROOT}/events/{events[0].public_id}", {"raw_days": 140, "rollup_days": None})
    tables = _partitions(app) if database == "postgresql" else None
    run = _run(app, client)
    assert run["points"] == 3
    assert [len(_points(app, event)) for event in events] == [2, 1]
    if tables:
        gone = tables - _partitions(app)
        assert f"datapoints_y{_ago(160):%Ym%m}" in gone
        assert f"datapoints_y{_ago(100):%Ym%m}" not in gone
    _fill(lab, events[1], [160])  # and a late value finds a place again
    assert len(_points(app, events[1])) == 2


def _partitions(app):
    with app.app_context():
        found = db.session.scalars(
            text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'datapoints'::regclass")
        )
        return set(found)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    policy=st.tuples(AGES, st.integers(0, 60)),
    own=st.none() | AGES,
    ages=st.lists(st.tuples(st.integers(0, 1), AGES), max_size=14, unique=True),
    holds=st.lists(st.tuples(AGES, st.integers(0, 30), st.booleans(), st.integers(0, 1)), max_size=3),
)
def test_nothing_held_and_nothing_younger_than_the_policy_ever_goes(installation, policy, own, ages, holds):
    from tests.make import Api, Lab  # a fresh laboratory for each example

    installation.empty()
    lab = Lab(installation.app)
    ada = lab.person("ada", Role.ADMIN)
    client = Api(installation.app, ada.bearer)
    events = [lab.event(ada) for _ in range(2)]
    points = {(n, age): clock.to_micros(_ago(age)) - 3_600_000_000 for n, age in ages}  # an hour older than its days
    for (n, age), ts in points.items():
        lab.samples(events[n], [(ts, float(age))])
    _fold(installation.app)
    held = []
    for start, length, is_scoped, n in holds:
        run = lab.experiment(
            ada, scope=[events[n]] if is_scoped else None, started=_ago(start), stopped=_ago(max(0, start - length))
        )
        client.put(f"/api/v1/experiments/{run.public_id}/hold", {"hold": True})
        held.append((run.span.started_us, run.span.stopped_us, {n} if is_scoped else {0, 1}))
    raw, more = policy
    client.put(ROOT, {"raw_days": raw, "rollup_days": raw + more})
    if own:
        client.put(f"{ROOT}/events/{events[0].public_id}", {"raw_days": own, "rollup_days": None})
    _run(installation.app, client)
    limit = [own or raw, raw]
    stays = {
        (events[n].id, ts)
        for (n, age), ts in points.items()
        if age < limit[n] or any(low <= ts <= high and n in which for low, high, which in held)
    }
    assert stays == set(_points(installation.app))
