"""Isolation a second time: PostgreSQL keeps organizations apart also where a query forgot to."""

# ruff: noqa: S608 - the names are those of our own tables

import re
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import FeatureNotSupported, InsufficientPrivilege
from sqlalchemy import Engine, Select, event, select, text, true
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, BindParameter

from tests.make import NOON, Api
from webmacs import factory
from webmacs.core import clock
from webmacs.core.db import db, driver, engine_options
from webmacs.core.errors import NotFound
from webmacs.core.paging import PageQuery
from webmacs.core.tenancy import as_owner, enter
from webmacs.features.accounts import queries as accounts
from webmacs.features.accounts.schemas import UserFilter
from webmacs.features.datapoints import queries as datapoints
from webmacs.features.datapoints import store
from webmacs.features.datapoints.schemas import DatapointFilter
from webmacs.features.datapoints.store import Row
from webmacs.features.events import queries as events
from webmacs.features.events.models import Event
from webmacs.features.experiments import queries as experiments
from webmacs.features.plugins import queries as plugins
from webmacs.features.retention import queries as retention
from webmacs.features.retention.models import RetentionPolicy
from webmacs.features.tokens import queries as tokens
from webmacs.web import arrival

from . import test_isolation
from .world import one_of_each

PACKAGE = Path(__file__).resolve().parents[2] / "webmacs"
ROLE = "webmacs_tenant"
# tables without organization_id whose rows belong to an organization by way of another row
BY_PARENT = {"organizations", "channel_mappings", "span_events", "datapoints", "latest_datapoints"}
BY_PARENT |= {"rollups", "raw_from", "stale_blocks", "audit_entries"}
OUTSIDE = {"claims", "audit_chains"}  # not even to be read from within an organization
READ_ONLY = {"audit_entries"}
ADVICE = """%s has rows of organizations and no row-level security. Add to its migration, for PostgreSQL:
CREATE POLICY tenant ON %s USING (organization_id = NULLIF(current_setting('webmacs.organization', true), '')::int)
ALTER TABLE %s ENABLE ROW LEVEL SECURITY"""
WHERE_THE_OWNER_WORKS = {
    "features/audit/operations.py": 1,  # entries of other chains; nobody within an organization writes any
    "features/audit/queries.py": 1,  # installation administrators read what belongs to no organization
    "features/accounts/operations.py": 2,  # a user's logins act in several organizations, and move between them
    "features/accounts/queries.py": 4,  # where a user belongs to, and one's own logins wherever they act
    # the engine of datapoints, at channels that the database has found within the organization
    "features/datapoints/store/__init__.py": 1,
    "features/datapoints/operations.py": 2,
    "features/datapoints/queries.py": 7,
    "features/imports/operations.py": 1,
    "features/invitations/operations.py": 1,  # whoever is at work elsewhere joins one more
    "features/organizations/operations.py": 2,  # from within one organization another is neither made nor renamed
    "features/organizations/queries.py": 3,  # which ones there are
}


@pytest.fixture(autouse=True)
def _only_postgresql(database):
    if database != "postgresql":
        pytest.skip("SQLite has no row-level security")


@pytest.fixture
def both(lab, ada, eve):
    """Two organizations that have rows in every table."""
    named = {}
    for number, who in enumerate((ada, eve), 1):
        named[who.username] = one_of_each(lab, who, number)
        with lab.arrival():
            event_id = db.session.scalar(select(Event.id).where(Event.public_id == named[who.username]["event"]))
            db.session.add(RetentionPolicy(organization_id=who.actor.organization_id, raw_days=None))
            for statement in (
                "INSERT INTO channel_retentions (event_id, organization_id) VALUES (:event, :organization)",
                """INSERT INTO retention_runs
                (public_id, organization_id, state, rows_done, rollups, attempts, created_on)
                VALUES ('ret_' || :event, :organization, 'done', 0, 0, 0, now())""",
                "INSERT INTO rollups VALUES (:event, 10000000, 0, 1, 1, 1, 1, 1, 1)",
                "INSERT INTO raw_from VALUES (:event, 1)",
                "INSERT INTO stale_blocks VALUES (:event, 1, 1)",
                "INSERT INTO span_events SELECT id, :event FROM spans WHERE organization_id = :organization",
            ):
                values = {"event": event_id, "organization": who.actor.organization_id}
                db.session.execute(text(statement), values)
    return named


def _owned():
    """The tables whose rows belong to organizations."""
    return [t.name for t in db.metadata.sorted_tables if "organization_id" in t.c or t.name in BY_PARENT]


def _rows(table):
    return {str(tuple(row)) for row in driver().execute(f'SELECT * FROM "{table}"').fetchall()}


# --- what the database knows ------------------------------------------------------------------------------------------


def test_every_table_with_rows_of_organizations_has_a_policy(lab):
    with lab.arrival(write=False):
        found = driver().execute(
            "SELECT c.relname FROM pg_class c JOIN pg_policies p ON p.tablename = c.relname"
            " WHERE c.relrowsecurity AND p.cmd = 'ALL' AND p.permissive = 'PERMISSIVE' AND p.policyname = 'tenant'"
        )
        guarded = [name for (name,) in found.fetchall()]
    missing = [ADVICE % ((name,) * 3) for name in _owned() if guarded.count(name) != 1]
    assert missing == [], "\n".join(missing)


def test_the_role_can_do_nothing_but_be_taken_on(lab):
    with lab.arrival(write=False):
        wanted = (
            "SELECT rolcanlogin, rolbypassrls, rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = %s"
        )
        assert driver().execute(wanted, [ROLE]).fetchone() == (False,) * 5
        owns = "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname = %s"
        assert driver().execute(owns, [ROLE]).fetchone() == (0,)


def test_within_an_organization_every_other_table_can_be_used_and_some_cannot(lab, ada):
    with lab.arrival(write=False):
        enter(ada.actor.organization_id)
        for table in db.metadata.sorted_tables:
            rights = driver().execute(
                "SELECT has_table_privilege(%s, r) FROM unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) r", [table.name]
            )
            may_write = table.name not in OUTSIDE | READ_ONLY
            assert [may for (may,) in rights] == [table.name not in OUTSIDE, *[may_write] * 3], table.name


def test_each_organization_sees_its_own_rows_of_each_table_and_nobody_sees_all(lab, ada, eve, both):
    with lab.arrival(write=False):
        everything = {table: _rows(table) for table in _owned()}
    seen = {}
    for who in (ada, eve):
        with lab.arrival(write=False):
            enter(who.actor.organization_id)
            seen[who.username] = {table: _rows(table) for table in _owned()}
    for table, rows in everything.items():
        mine, theirs = seen["ada"][table], seen["eve"][table]
        assert mine, f"the tests make no row of {table} for an organization"
        assert theirs, f"the tests make no row of {table} for another organization"
        assert not mine & theirs, table
        if table not in READ_ONLY:  # some entries belong to nobody
            assert mine | theirs == rows, table


def test_where_no_organization_was_entered_the_role_sees_nothing(lab, both):
    with lab.arrival(write=False):
        driver().execute(f"SET LOCAL ROLE {ROLE}")
        assert {table: _rows(table) for table in _owned()} == {table: set() for table in _owned()}


def _first_rows(lab, who):
    """Table → a row of the organization, column → value."""
    with lab.arrival(write=False):
        enter(who.actor.organization_id)
        found = {}
        for table in sorted({*_owned()} - READ_ONLY):
            cursor = driver().execute(f'SELECT * FROM "{table}" LIMIT 1')
            found[table] = dict(zip([c.name for c in cursor.description], cursor.fetchone(), strict=True))
        return found


def _adapted(value):
    return psycopg.types.json.Json(value) if isinstance(value, list | dict) else value


def test_nobody_writes_rows_of_another_organization(lab, ada, eve, both):
    mine, theirs = _first_rows(lab, ada), _first_rows(lab, eve)
    for table, row in theirs.items():
        with lab.arrival(write=False):
            enter(ada.actor.organization_id)
            places = ", ".join(["%s"] * len(row))
            with pytest.raises(InsufficientPrivilege, match="row-level security"):
                driver().execute(
                    f'INSERT INTO "{table}" ({", ".join(row)}) VALUES ({places})', [_adapted(v) for v in row.values()]
                )
        column = _whose(table)
        with lab.arrival(write=False):
            enter(ada.actor.organization_id)
            with pytest.raises(InsufficientPrivilege, match="row-level security"):
                driver().execute(
                    f'UPDATE "{table}" SET {column} = %s WHERE {column} = %s', [row[column], mine[table][column]]
                )


def test_nobody_changes_or_deletes_rows_of_another_organization(lab, ada, eve, both, fingerprint):
    theirs = _first_rows(lab, eve)
    before = fingerprint()
    for table, row in theirs.items():
        column = _whose(table)
        with lab.arrival():
            enter(ada.actor.organization_id)
            for verb in (f'UPDATE "{table}" SET {column} = {column}', f'DELETE FROM "{table}"'):
                assert driver().execute(f"{verb} WHERE {column} = %s", [row[column]]).rowcount == 0, table
    assert fingerprint() == before


def _whose(table):
    """The column that says whose a row is."""
    columns = db.metadata.tables[table].c
    return next(c for c in ("organization_id", "plugin_instance_id", "span_id", "event_id", "id") if c in columns)


def test_a_link_to_a_channel_of_another_organization_is_refused(lab, ada, eve, both):
    theirs = _first_rows(lab, eve)["events"]["id"]
    with lab.arrival(write=False):
        enter(ada.actor.organization_id)
        with pytest.raises(InsufficientPrivilege):
            driver().execute("UPDATE channel_mappings SET event_id = %s", [theirs])


# --- with the filter of the application removed -----------------------------------------------------------------------


def _forget(element):
    compares = isinstance(element, BinaryExpression) and element.operator is operators.eq
    if compares and isinstance(element.right, BindParameter) and getattr(element.left, "name", "") == "organization_id":
        return true()
    return None


def _forgetful(_connection, statement, multiparams, params, _options):
    if isinstance(statement, Select):
        statement = visitors.replacement_traverse(statement, {}, lambda element, **_: _forget(element))
    return statement, multiparams, params


@contextmanager
def _without_the_filter():
    """Take `organization_id = …` out of every question."""
    event.listen(Engine, "before_execute", _forgetful, retval=True)
    try:
        yield
    finally:
        event.remove(Engine, "before_execute", _forgetful)


@pytest.fixture
def unfiltered():
    """The application has forgotten its filter."""
    with _without_the_filter():
        yield


@pytest.mark.parametrize(
    "contract",
    [
        "test_lists_show_nothing_of_another_organization",
        "test_references_to_foreign_things_in_a_body_are_unknown",
        "test_filters_by_foreign_things_find_nothing",
        "test_an_experiment_of_one_organization_takes_no_data_of_another",
    ],
)
def test_without_the_filter_nothing_of_another_organization_is_shown(contract, request, unfiltered):
    _keep(contract, request)


@pytest.mark.parametrize(
    "contract",
    [
        "test_foreign_ids_in_json_answer_like_ids_of_nothing",
        "test_foreign_ids_in_pages_answer_like_ids_of_nothing",
    ],
)
def test_without_the_filter_foreign_ids_name_nothing(contract, request, unfiltered):
    _keep(contract, request)


def _keep(contract, request):
    """Hold the application to a contract of test_isolation.py."""
    test = getattr(test_isolation, contract)
    names = test.__code__.co_varnames[: test.__code__.co_argcount]
    test(**{name: request.getfixturevalue(name) for name in names})


def test_without_filter_and_without_row_security_foreign_things_would_be_seen(request, unfiltered, monkeypatch):
    monkeypatch.setattr(arrival, "enter", lambda _organization_id: None)
    with pytest.raises(AssertionError):
        _keep("test_lists_show_nothing_of_another_organization", request)


def test_a_channel_that_any_query_finds_is_ones_own(lab, ada, eve, client_as, monkeypatch):
    mine, theirs = lab.event(eve), lab.event(ada)
    lab.record(eve, mine, 1.0)
    lab.record(ada, theirs, 2.0)
    monkeypatch.setattr(events, "visible", lambda _actor: select(Event))
    client = client_as(eve)
    assert [e["public_id"] for e in client.get("/api/v1/events").json["data"]] == [mine.public_id]
    assert client.get(f"/api/v1/events/{theirs.public_id}").status_code == 404
    assert [p["event_public_id"] for p in client.get("/api/v1/datapoints/latest").json] == [mine.public_id]
    assert client.get("/api/v1/datapoints").json["total"] == 1
    both = {"event_public_ids": [mine.public_id, theirs.public_id]}
    series = client.post("/api/v1/datapoints/series", both).json
    assert (len(series[mine.public_id]), series[theirs.public_id]) == (1, [])
    assert client.put(f"/api/v1/events/{theirs.public_id}", {"name": "Taken"}).status_code == 404
    assert client.delete(f"/api/v1/events/{theirs.public_id}").status_code == 404


def test_who_passes_for_somebody_of_another_organization_finds_nothing(lab, ada, eve, both):
    page = PageQuery()
    with lab.arrival(write=False):
        enter(eve.actor.organization_id)
        forged = ada.actor
        found = {
            "channels": events.everything(forged),
            "instances": plugins.everything(forged),
            "experiments": experiments.names(forged),
            "latest": datapoints.latest(forged),
            "datapoints": datapoints.find(forged, DatapointFilter()).data,
            "stretches": datapoints.stretches(forged),
            "users": accounts.find(forged, UserFilter()).data,
            "tokens": tokens.find(forged, page).data,
            "retention": retention.runs(forged, page).data,
        }
        assert {name: len(rows) for name, rows in found.items()} == dict.fromkeys(found, 0)


# --- nothing stays behind ---------------------------------------------------------------------------------------------


@pytest.fixture
def narrow(installation, site, monkeypatch):
    """The application with one connection for everybody."""
    monkeypatch.setattr(
        factory, "engine_options", lambda url: engine_options(url) | {"pool_size": 1, "max_overflow": 0}
    )
    app = factory.create_app(site.settings(installation.url))
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def _side(app):
    """Who the connection of the pool is, and where."""
    with app.app_context():
        borrowed = db.engine.raw_connection()
        try:
            row = borrowed.driver_connection.execute(
                "SELECT current_user = session_user, coalesce(current_setting('webmacs.organization', true), ''),"
                " pg_backend_pid()"
            ).fetchone()
            borrowed.driver_connection.rollback()
        finally:
            borrowed.close()
    return row


def test_arrivals_of_two_organizations_take_turns_on_one_connection(narrow, lab, ada, eve):
    mine = {who.username: lab.event(who).public_id for who in (ada, eve)}
    first = _side(narrow)
    for _ in range(3):
        for who in (ada, eve):
            for sender in (Api(narrow, who.bearer), Api(narrow)):
                sender.get("/health")
            answer = Api(narrow, who.bearer).get("/api/v1/events")
            assert [e["public_id"] for e in answer.json["data"]] == [mine[who.username]]
            assert _side(narrow) == (True, "", first[2])


def test_an_arrival_that_failed_leaves_nothing_behind(narrow, lab, ada, eve, monkeypatch):
    event_id = lab.event(ada).public_id
    client = Api(narrow, ada.bearer)
    first = _side(narrow)

    def break_off(*_arguments, **_others):
        db.session.execute(text("SELECT 1 / 0"))

    def forget(*_arguments, **_others):
        raise ZeroDivisionError

    def collide(*_arguments, **_others):
        raise IntegrityError("INSERT", None, Exception("a duplicate"))

    narrow.testing = False
    assert client.get("/api/v1/events/evt_none").status_code == 404
    assert client.post("/api/v1/events", {"name": ""}).status_code == 422
    for how in (break_off, forget, collide):
        with monkeypatch.context() as patch:
            patch.setattr(events, "find", how)
            assert client.get("/api/v1/events").status_code >= 400
        assert _side(narrow) == (True, "", first[2])
    assert Api(narrow, eve.bearer).get(f"/api/v1/events/{event_id}").status_code == 404
    assert client.get(f"/api/v1/events/{event_id}").status_code == 200


# --- writing ----------------------------------------------------------------------------------------------------------


def test_many_values_and_old_ones_are_recorded_within_an_organization(lab, ada, client_as):
    client, channel = client_as(ada), lab.event(ada).public_id
    few = [{"event_public_id": channel, "value": n, "timestamp": f"2019-03-01T00:00:{n:02}Z"} for n in range(9)]
    assert client.post("/api/v1/datapoints/batch", {"datapoints": few}).json["accepted"] == 9
    many = [{"event_public_id": channel, "value": n, "timestamp": 1_552_000_000 + n} for n in range(400)]
    assert client.post("/api/v1/datapoints/batch", {"datapoints": many}).json["accepted"] == 400
    assert client.get("/api/v1/datapoints").json["total"] == 409


def test_many_values_for_a_channel_of_another_organization_are_refused(lab, ada, eve):
    mine, theirs = lab.event(ada), lab.event(eve)
    moment = clock.to_micros(NOON)
    for count in (1, 400):
        with lab.arrival():
            enter(ada.actor.organization_id)
            rows = [Row(mine.id, moment + n, 1.0) for n in range(count)] + [Row(theirs.id, moment, 1.0)]
            with pytest.raises(NotFound), store.engine_at({row[0] for row in rows}):
                store.of("postgresql").write(driver(), rows, ())
            with pytest.raises((InsufficientPrivilege, FeatureNotSupported)):
                store.of("postgresql").write(driver(), rows, ())
            db.session.rollback()
    with lab.arrival(write=False):
        assert _rows("datapoints") == set()


def test_a_partition_can_be_reached_through_its_table_only(lab, ada):
    lab.record(ada, lab.event(ada), 1.0, at=NOON.replace(year=2018))
    with lab.arrival(write=False):
        enter(ada.actor.organization_id)
        parts = driver().execute("SELECT relid::regclass::text FROM pg_partition_tree('datapoints') WHERE isleaf")
        names = [name for (name,) in parts.fetchall()]
        assert "datapoints_y2018m11" in names
        assert {name: _rows(name) for name in names} == {name: set() for name in names}
        assert len(_rows("datapoints")) == 1


# --- the way out ------------------------------------------------------------------------------------------------------


def _is_owner():
    return driver().execute("SELECT current_user = session_user").fetchone()[0]


def test_the_owner_is_left_again_also_after_a_failure(lab, ada):
    with lab.arrival(write=False):
        enter(ada.actor.organization_id)
        assert not _is_owner()
        with as_owner():
            assert _is_owner()
            with as_owner():
                assert _is_owner()
            assert _is_owner()
        assert not _is_owner()
        with pytest.raises(ZeroDivisionError), as_owner():
            raise ZeroDivisionError
        assert not _is_owner()
        with pytest.raises(ProgrammingError), db.session.begin_nested(), as_owner():
            db.session.execute(text("SELECT nothing"))
        assert not _is_owner()
        with pytest.raises(ProgrammingError), as_owner(), db.session.begin_nested():
            db.session.execute(text("SELECT nothing"))
        assert not _is_owner()


def test_after_a_rollback_an_arrival_is_still_in_its_organization(lab, ada):
    with lab.arrival(write=False):
        enter(ada.actor.organization_id)
        with pytest.raises(ProgrammingError), as_owner():
            db.session.execute(text("SELECT nothing"))
        db.session.rollback()
        assert not _is_owner()


def test_an_arrival_belongs_to_one_organization(lab, ada, eve):
    with lab.arrival(write=False):
        enter(ada.actor.organization_id)
        with pytest.raises(RuntimeError):
            enter(eve.actor.organization_id)
    with lab.app.app_context(), pytest.raises(RuntimeError):
        enter(ada.actor.organization_id)


def test_what_is_pending_is_written_on_the_side_where_it_was_asked_for(lab, ada, eve):
    theirs = {"organization_id": lab.event(eve).organization_id, "public_id": "evt_claimed", "name": "Claimed"}
    given = theirs | {"type": "sensor", "unit": "V", "min_value": 0, "max_value": 1, "is_accepting": True}
    with lab.arrival(write=False):
        enter(ada.actor.organization_id)
        db.session.add(Event(**given))
        with pytest.raises(ProgrammingError, match="row-level security"), as_owner():
            pass


def test_only_a_few_step_out_of_their_organization():
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        uses = re.findall(
            r"(?<!def )(?<![.\w])(?:as_owner|leave|(?:store\.)?engine_at)\(", path.read_text(encoding="utf-8")
        )
        if uses:
            found[path.relative_to(PACKAGE).as_posix()] = len(uses)
    assert found == WHERE_THE_OWNER_WORKS
