"""Whatever changes something leaves an entry, whichever way it goes to the database."""

import pytest
from sqlalchemy import delete, func, insert, select, update

from tests.make import NOON
from webmacs.core import capture
from webmacs.core.db import Base, db, transaction
from webmacs.core.ids import new_id
from webmacs.features.accounts.models import Login
from webmacs.features.audit.models import AuditEntry
from webmacs.features.datapoints.models import span_events
from webmacs.features.events import operations as events
from webmacs.features.events import queries as event_queries
from webmacs.features.events.models import Event
from webmacs.features.events.schemas import EventPatch
from webmacs.features.experiments import operations as experiments
from webmacs.features.plugins import operations as plugins
from webmacs.features.plugins.schemas import InstancePatch, StatusIn
from webmacs.features.tokens.models import ApiToken


def _newest(trail, person):
    return trail(person)[-1]


def test_every_table_is_audited_or_says_why_not():
    for table in Base.metadata.sorted_tables:
        reason = capture.why_not(table)
        assert reason is None or len(reason) > 10, table.name


def test_what_is_not_audited_was_decided_on_purpose():
    left_out = {table.name for table in Base.metadata.sorted_tables if capture.why_not(table)}
    assert left_out == {
        *("audit_entries", "audit_chains", "idempotency_keys", "log_entries", "factor_steps"),
        *("sso_logins", "sso_put_aside", "mails", "resets"),
        *("datapoints", "latest_datapoints", "rollups", "rollup_state", "raw_from", "stale_blocks"),
    }


def test_a_new_thing_is_told_with_its_values(lab, ada, trail):
    event = lab.event(ada, name="Inlet")
    entry = _newest(trail, ada)
    assert (entry.action, entry.kind, entry.object_public_id, entry.object_name) == (
        "created",
        "event",
        event.public_id,
        "Inlet",
    )
    assert entry.old_values == {}
    assert entry.new_values["unit"] == "°C"
    assert entry.new_values["user_id"] == f"ada ({ada.public_id})"


def test_of_a_change_only_the_changed_fields_are_told(lab, ada, trail):
    event = lab.event(ada, name="Inlet")
    with lab.arrival():
        events.change(ada.actor, event.public_id, EventPatch(name="Outlet", unit="°C"))
    entry = _newest(trail, ada)
    assert (entry.action, entry.old_values, entry.new_values) == ("changed", {"name": "Inlet"}, {"name": "Outlet"})


def test_a_change_to_what_it_was_is_none(lab, ada, trail):
    event = lab.event(ada, name="Inlet")
    before = len(trail(ada))
    with lab.arrival():
        events.change(ada.actor, event.public_id, EventPatch(name="Inlet"))
    with lab.arrival():
        events.change(ada.actor, event.public_id, EventPatch(name="Outlet"))
        db.session.flush()
        events.change(ada.actor, event.public_id, EventPatch(name="Inlet"))
    assert len(trail(ada)) == before


def test_the_old_value_of_an_object_that_had_forgotten_it_is_asked_for(lab, ada, trail):
    event = lab.event(ada, name="Inlet")
    with lab.arrival():
        found = event_queries.get(ada.actor, event.public_id)
        db.session.expire_all()
        found.name = "Outlet"
    assert _newest(trail, ada).old_values == {"name": "Inlet"}


def test_a_deleted_thing_is_told_with_what_it_was(lab, ada, trail):
    event = lab.event(ada, name="Inlet")
    with lab.arrival():
        events.remove(ada.actor, event.public_id)
    entry = _newest(trail, ada)
    assert (entry.action, entry.object_name, entry.new_values) == ("deleted", "Inlet", {})
    assert entry.old_values["unit"] == "°C"


def test_an_object_that_is_deleted_by_the_session_is_told(lab, ada, trail):
    event = lab.event(ada, name="Inlet")
    with lab.arrival():
        found = event_queries.get(ada.actor, event.public_id)
        db.session.expire(found)
        db.session.delete(found)
    entry = _newest(trail, ada)
    assert (entry.action, entry.object_name, entry.old_values["unit"]) == ("deleted", "Inlet", "°C")


def test_what_comes_and_goes_within_one_transaction_is_not_told(lab, ada, trail):
    before = len(trail(ada))
    with lab.arrival():
        made = lab.event(ada)
        events.remove(ada.actor, made.public_id)
    assert len(trail(ada)) == before


def test_a_statement_over_some_rows_is_told_row_by_row(lab, ada, trail):
    for name in ("A", "B"):
        lab.event(ada, name=name)
    before = len(trail(ada))
    with lab.arrival():
        db.session.execute(update(Event).where(Event.unit == "°C").values(max_value=Event.max_value + 1))
    told = [(entry.object_name, entry.old_values, entry.new_values) for entry in trail(ada, before)]
    assert sorted(told, key=str) == [
        ("A", {"max_value": 100.0}, {"max_value": 101.0}),
        ("B", {"max_value": 100.0}, {"max_value": 101.0}),
    ]


@pytest.mark.parametrize("verb", ["changed", "deleted"])
def test_a_statement_over_many_rows_is_told_by_their_number(lab, ada, trail, monkeypatch, verb):
    monkeypatch.setattr(capture, "ONE_BY_ONE", 2)
    for name in ("A", "B", "C"):
        lab.event(ada, name=name)
    before = len(trail(ada)) + len(trail())
    statement = update(Event).values(unit="K") if verb == "changed" else delete(Event)
    with lab.arrival():
        db.session.execute(statement.where(Event.unit == "°C"))
    (entry,) = [*trail(ada), *trail()][before:]
    assert (entry.action, entry.kind, entry.object_name) == (verb, "event", "3 at once")
    assert entry.new_values == ({"unit": "K"} if verb == "changed" else {})


def test_a_statement_by_primary_keys_is_told(lab, ada, trail):
    event = lab.event(ada, name="A")
    with lab.arrival():
        db.session.execute(update(Event), [{"id": event.id, "unit": "K"}])
    assert _newest(trail, ada).new_values == {"unit": "K"}


def test_a_statement_that_meets_nothing_is_not_told(lab, ada, trail):
    before = len(trail(ada))
    with lab.arrival():
        db.session.execute(update(Event).where(Event.unit == "nothing").values(unit="K"))
        db.session.execute(delete(ApiToken))
    assert len(trail(ada)) == before


def test_rows_inserted_without_objects_are_told(lab, ada, trail):
    with lab.arrival():
        given = {"public_id": new_id("evt"), "organization_id": ada.actor.organization_id, "name": "Bare"}
        given |= {"type": "sensor", "unit": "V", "min_value": 0.0, "max_value": 1.0, "is_accepting": True}
        db.session.execute(insert(Event), [given])
    entry = _newest(trail, ada)
    assert (entry.action, entry.object_name, entry.new_values["unit"]) == ("created", "Bare", "V")


def test_a_table_of_pairs_names_what_it_joins(lab, ada, trail):
    event = lab.event(ada, name="Inlet")
    run = lab.experiment(ada)
    with lab.arrival():
        db.session.execute(insert(span_events), [{"span_id": run.span.id, "event_id": event.id}])
    entry = _newest(trail, ada)
    assert (entry.kind, entry.action, entry.object_name) == ("span event", "created", "Inlet")


def test_what_a_savepoint_took_back_is_not_told(lab, ada, trail):
    before = len(trail(ada))
    with lab.arrival():
        lab.event(ada, name="Kept")
        savepoint = db.session.begin_nested()
        lab.event(ada, name="Taken back")
        savepoint.rollback()
        with db.session.begin_nested():
            lab.event(ada, name="Kept too")
    assert [entry.object_name for entry in trail(ada, before)] == ["Kept", "Kept too"]


def test_what_is_rolled_back_is_not_told(app, lab, ada, trail):
    before = len(trail(ada))
    with app.app_context(), transaction() as work:
        lab.event(ada)
        work.abandon()
    assert len(trail(ada)) == before


def test_an_experiment_and_its_span_are_one_thing(lab, ada, trail):
    before = len(trail(ada))
    run = lab.experiment(ada, "Run 07")
    lab.stop(ada, run)
    made, stopped = trail(ada, before)
    assert (made.action, made.kind, made.object_name) == ("created", "experiment", "Run 07")
    assert (stopped.action, stopped.kind, stopped.object_name) == ("changed", "experiment", "Run 07")
    assert stopped.old_values["stopped_us"] is None
    assert stopped.new_values["stopped_us"].endswith("Z")


def test_secrets_are_never_shown(lab, ada, trail):
    _, secret = lab.token(ada, "Script")
    shown = " ".join(entry.old + entry.new for entry in trail(ada))
    assert _newest(trail, ada).new_values["token_hash"] == "changed"
    assert "$argon2" not in shown
    assert secret not in shown
    with lab.arrival(write=False):
        kept = db.session.scalars(select(ApiToken.token_hash)).one()
    assert kept not in shown


def test_secrets_within_a_configuration_are_never_shown(lab, ada, trail):
    lab.instance(ada, config_json='{"host": "plc.lab", "password": "hunter2", "keys": [{"api_key": "abc123"}]}')
    told = _newest(trail, ada).new_values["config_json"]
    assert told == {"host": "plc.lab", "password": "changed", "keys": "changed"}


def test_signs_of_life_and_of_use_are_not_told(lab, ada, trail):
    instance, _ = lab.instance(ada), lab.token(ada)
    before = len(trail(ada))
    with lab.arrival():
        plugins.report(ada.actor, instance.public_id, StatusIn(status="connected"))
        db.session.execute(update(Login).values(last_used_at=NOON))
        db.session.execute(update(ApiToken).values(last_used_at=NOON))
    assert len(trail(ada)) == before
    with lab.arrival():
        plugins.change(ada.actor, instance.public_id, InstancePatch(instance_name="Rig 2"))
    assert _newest(trail, ada).new_values == {"instance_name": "Rig 2"}


def test_measurements_are_not_told_but_their_deletion_is(lab, ada, client_as, trail):
    event = lab.event(ada, name="Inlet")
    before = len(trail(ada))
    made = client_as(ada).post("/api/v1/datapoints", {"event_public_id": event.public_id, "value": 21.5})
    assert made.status_code == 201
    assert len(trail(ada)) == before
    assert client_as(ada).delete(f"/api/v1/datapoints/{made.json['public_id']}").status_code == 200
    (entry,) = trail(ada, before)
    assert (entry.action, entry.kind, entry.object_name) == ("deleted", "datapoint", "Inlet")
    assert entry.old_values["value"] == 21.5


def test_a_set_point_is_told(lab, ada, browser_as, trail):
    event = lab.event(ada, name="Valve", type="actuator")
    assert browser_as(ada).post(f"/control/{event.public_id}", {"value": "1"}).status_code == 303
    entry = _newest(trail, ada)
    assert (entry.verb, entry.action, entry.kind, entry.object_name) == ("control.set_output", "set", "output", "Valve")
    assert entry.new_values == {"value": 1.0}


def test_a_long_text_is_cut(lab, ada, trail):
    lab.instance(ada, config_json='{"notes": "' + "x" * 5_000 + '"}')
    assert _newest(trail, ada).new_values["config_json"]["notes"].endswith("… (5000 characters)")


def test_the_same_transaction_tells_several_organizations(lab, ada, eve, trail):
    mine, theirs = len(trail(ada)), len(trail(eve))
    with lab.arrival():
        lab.event(ada, name="Here")
        lab.event(eve, name="There")
    assert [entry.object_name for entry in trail(ada, mine)] == ["Here"]
    assert [entry.object_name for entry in trail(eve, theirs)] == ["There"]


def test_deleting_an_experiment_is_told_once(lab, ada, trail):
    run = lab.experiment(ada, "Run 07")
    lab.stop(ada, run)
    before = len(trail(ada))
    with lab.arrival():
        experiments.remove(ada.actor, run.public_id, keep_data=False)
    assert {(e.action, e.kind, e.object_name) for e in trail(ada, before)} == {("deleted", "experiment", "Run 07")}


def test_every_entry_of_the_database_is_counted(lab, ada, trail):
    lab.event(ada)
    with lab.arrival(write=False):
        held = db.session.scalar(select(func.count()).select_from(AuditEntry))
    assert held == len(trail(ada)) + len(trail())
