"""One transaction for each arrival: who commits, what reading leaves behind, what a refusal leaves behind."""

import ast
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from tests.make import NOON
from webmacs.core.db import db, emit, transaction
from webmacs.core.facts import Fact
from webmacs.features.accounts.models import Login
from webmacs.features.events import operations
from webmacs.features.events.schemas import EventIn

from .world import declared, one_of_each

PACKAGE = Path(__file__).resolve().parents[2] / "webmacs"
CHANNEL = {"name": "Inlet", "type": "sensor", "unit": "V", "min_value": 0, "max_value": 1}


def _calls(path, names):
    """The calls of methods with these names in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
            yield f"{path.relative_to(PACKAGE)}:{node.lineno}"


def test_nobody_commits_but_the_two_transactions():
    found = [call for path in sorted(PACKAGE.rglob("*.py")) for call in _calls(path, {"commit"})]
    assert [call.partition(":")[0] for call in found] == ["core/db.py", "core/db.py"], found


def test_only_edges_jobs_and_commands_open_transactions():
    openers = {
        path.relative_to(PACKAGE).as_posix()
        for path in sorted(PACKAGE.rglob("*.py"))
        if "with transaction(" in path.read_text(encoding="utf-8")
        or ", transaction(" in path.read_text(encoding="utf-8")
    }
    inside = {name for name in openers if name.startswith("features/")}
    assert {Path(name).name for name in inside} <= {"jobs.py", "cli.py", "live.py"}, inside


def test_reading_everything_changes_nothing(app, lab, ada, client_as, browser_as, fingerprint):
    named = one_of_each(lab, ada)
    before = fingerprint()
    for route in declared(app):
        if not route.is_unsafe:
            for sender in (client_as(ada), browser_as(ada), client_as(None)):
                for method in ("GET", "HEAD"):
                    sender.send(method, route.path(named)).get_data()
    assert fingerprint() == before


def test_a_question_that_travels_by_post_changes_nothing(lab, ada, client_as, fingerprint):
    event = lab.event(ada)
    lab.record(ada, event, 1.0)
    before = fingerprint()
    wish = {"event_public_ids": [event.public_id], "bucket": 60}
    for question in ("series", "aggregate"):
        assert client_as(ada).post(f"/api/v1/datapoints/{question}", wish).status_code == 200
    assert fingerprint() == before


def _create_and_fail(person):
    with transaction():  # joins the one that is open
        operations.create(person.actor, EventIn(**CHANNEL))
    raise RuntimeError


def test_an_operation_that_raises_leaves_nothing(lab, ada, fingerprint):
    before = fingerprint()
    with pytest.raises(RuntimeError), lab.arrival():
        _create_and_fail(ada)
    assert fingerprint() == before


def test_an_abandoned_arrival_leaves_nothing(app, lab, ada, fingerprint):
    before = fingerprint()
    with app.app_context(), transaction() as work:
        operations.create(ada.actor, EventIn(**CHANNEL))
        work.abandon()
    assert fingerprint() == before


def test_a_reading_arrival_leaves_nothing(lab, ada, fingerprint):
    before = fingerprint()
    with lab.arrival(write=False):
        operations.create(ada.actor, EventIn(**CHANNEL))
    assert fingerprint() == before


def test_an_inner_transaction_belongs_to_the_outer_one(app, lab, ada, fingerprint):
    before = fingerprint()
    with pytest.raises(RuntimeError), app.app_context(), transaction():
        _create_and_fail(ada)
    assert fingerprint() == before


def test_a_fact_outside_a_transaction_is_a_mistake(app):
    with app.app_context(), pytest.raises(RuntimeError):
        emit(Fact(1))


def test_what_is_answered_can_be_read_at_once_by_everybody(lab, ada, vera, client_as):
    made = client_as(ada).post("/api/v1/events", CHANNEL)
    assert client_as(vera).get(f"/api/v1/events/{made.json['public_id']}").json["name"] == "Inlet"


def test_no_connection_is_kept_after_an_answer(app, lab, ada, client_as, browser_as):
    named = one_of_each(lab, ada)
    with app.app_context():
        pool = db.engine.pool
    for route in declared(app):
        if not route.is_unsafe:
            sender = client_as(ada) if route.edge.kind == "api" else browser_as(ada)
            answer = sender.send("GET", route.path(named))
            answer.get_data()
            answer.close()
            assert pool.checkedout() == 0, route.name


def test_an_export_that_is_broken_off_gives_its_connection_back(app, lab, ada, client_as):
    event, run = lab.event(ada), lab.experiment(ada, started=NOON)
    first = 1_000_000 * int(NOON.timestamp())
    lab.samples(event, ((first + n, float(n)) for n in range(10_000)))
    answer = client_as(ada).get(f"/api/v1/experiments/{run.public_id}/export/csv", buffered=False)
    chunks = iter(answer.response)
    next(chunks), next(chunks)
    with app.app_context():
        pool = db.engine.pool
    assert pool.checkedout() == 1
    answer.close()
    assert pool.checkedout() == 0


def test_a_use_that_cannot_be_noted_refuses_nothing(app, lab, ada, client_as):
    with lab.arrival():
        db.session.execute(update(Login).values(last_used_at=NOON))

    def on_a_full_disk(_actor):
        raise OperationalError("UPDATE", None, sqlite3.OperationalError("database or disk is full"))

    kept = app.extensions["webmacs.authenticators"]
    app.extensions["webmacs.authenticators"] = replace(kept, note_use=on_a_full_disk)
    try:
        assert client_as(ada).get("/api/v1/events").status_code == 200
    finally:
        app.extensions["webmacs.authenticators"] = kept
