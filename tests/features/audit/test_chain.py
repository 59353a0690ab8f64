"""The chain: what is written holds, and whatever is done to it past the triggers is found and named."""

# ruff: noqa: S608 - the statements are made of our own numbers

import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from webmacs.core.db import db, transaction
from webmacs.features.audit import decide
from webmacs.features.audit.models import AuditChain, AuditEntry
from webmacs.features.events import operations as events
from webmacs.features.events.schemas import EventPatch
from webmacs.gateways.signing import notary

CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def _chain(person):
    return person.actor.organization_id


@pytest.fixture
def filled(lab, ada):
    """Ten events have been created: fourteen entries and more."""
    for number in range(10):
        lab.event(ada, name=f"Channel {number}")
    return ada


def test_an_untouched_trail_is_complete(filled, verdict, trail):
    found = verdict()
    assert found.broken == []
    assert found.entries == len(trail(filled)) + len(trail())


@pytest.mark.parametrize(
    "change",
    [
        "new = '{}'",
        "object_name = 'Another'",
        "username = 'eve'",
        "occurred_on = '2020-01-01 00:00:00'",
        "public_id = 'aud_forged'",
        "reason = 'because'",
        "hash = '" + "0" * 64 + "'",
    ],
)
def test_an_altered_entry_is_named(filled, verdict, tamper, change):
    tamper(f"UPDATE audit_entries SET {change} WHERE chain = {_chain(filled)} AND number = 7")
    (broken,) = verdict().broken
    assert (broken.organization, broken.number) == ("Organization 'Laboratory'", 7)
    assert "does not fit its seal" in str(broken)


def test_a_deleted_entry_is_named(filled, verdict, tamper):
    tamper(f"DELETE FROM audit_entries WHERE chain = {_chain(filled)} AND number = 7")
    (broken,) = verdict().broken
    assert (broken.number, broken.what) == (7, "this entry is missing")


def test_two_swapped_entries_are_named(filled, verdict, tamper):
    chain = _chain(filled)
    move = "UPDATE audit_entries SET number = {} WHERE chain = {} AND number = {}"
    tamper(move.format(-1, chain, 6), move.format(6, chain, 9), move.format(9, chain, -1))
    (broken,) = verdict().broken
    assert broken.number == 6
    assert "in another entry's place" in broken.what


def test_a_cut_tail_is_named(filled, verdict, tamper, trail):
    count = len(trail(filled))
    tamper(f"DELETE FROM audit_entries WHERE chain = {_chain(filled)} AND number > {count - 3}")
    (broken,) = verdict().broken
    assert (broken.number, broken.what) == (count - 2, f"the chain ends before it; its head knows {count} entries")


def test_a_cut_tail_whose_head_was_made_to_fit_is_named(filled, verdict, tamper, trail):
    entries = trail(filled)
    kept = entries[-4]
    chain = _chain(filled)
    cut = (
        f"DELETE FROM audit_entries WHERE chain = {chain} AND number > {kept.number}",
        f"UPDATE audit_chains SET count = {kept.number}, hash = '{kept.hash}' WHERE chain = {chain}",
    )
    tamper(*cut)
    (broken,) = verdict().broken
    assert (broken.number, broken.what) == (kept.number, "the head of the chain was altered")


@pytest.mark.parametrize("how", ["DELETE FROM audit_chains", "UPDATE audit_chains SET count = 2"])
def test_a_damaged_head_stays_known_after_later_entries(lab, filled, verdict, tamper, trail, how):
    before = len(trail(filled))
    tamper(f"{how} WHERE chain = {_chain(filled)}")
    assert [broken.number for broken in verdict().broken] == [before if "DELETE" in how else 2]
    lab.event(filled, name="Later")
    (broken,) = verdict().broken
    assert broken.number == before + 1
    assert "altered or deleted before this entry" in broken.what
    assert trail(filled)[-1].object_name == "Later"


def test_a_forged_entry_is_named(filled, verdict, tamper, trail):
    last = trail(filled)[-1]
    names = ", ".join(column.name for column in AuditEntry.__table__.columns if column.name != "id")
    values = names.replace("public_id,", "'aud_forged',", 1).replace("number", "number + 1")
    tamper(f"INSERT INTO audit_entries ({names}) SELECT {values} FROM audit_entries WHERE id = {last.id}")
    (broken,) = verdict().broken
    assert broken.number == last.number + 1


def test_another_key_fits_nothing(app, filled, verdict):
    try:
        notary.use("another installation's key")
        assert verdict().broken[0].number == 1
    finally:
        notary.use(app.config["SECRET_KEY"])
    assert verdict().broken == []


@pytest.mark.parametrize("statement", ["UPDATE audit_entries SET reason = 'because'", "DELETE FROM audit_entries"])
def test_the_database_refuses_to_change_the_trail(app, filled, verdict, statement):
    with app.app_context(), pytest.raises(DBAPIError, match="append-only"), db.engine.begin() as connection:
        connection.execute(text(statement))
    assert verdict().broken == []


def test_the_database_refuses_to_empty_the_trail(app, filled, database, verdict):
    if database == "sqlite":
        return  # it has no TRUNCATE
    with app.app_context(), pytest.raises(DBAPIError, match="append-only"), db.engine.begin() as connection:
        connection.execute(text("TRUNCATE audit_entries"))
    assert verdict().entries > 10


def test_every_chain_is_walked_and_each_broken_one_named(lab, filled, eve, verdict, tamper):
    lab.event(eve)
    for person in (filled, eve):
        tamper(f"UPDATE audit_entries SET new = '1' WHERE chain = {_chain(person)} AND number = 2")
    assert [(broken.organization, broken.number) for broken in verdict().broken] == [
        ("Organization 'Laboratory'", 2),
        ("Organization 'Elsewhere'", 2),
    ]


def test_the_walk_goes_on_over_many_pages(filled, verdict, trail, monkeypatch):
    monkeypatch.setattr("webmacs.features.audit.queries.AT_ONCE", 3)
    found = verdict()
    assert (found.broken, found.entries) == ([], len(trail(filled)) + len(trail()))


# --- any sequence, any single mutation --------------------------------------------------------------------------------

STEP = st.one_of(
    st.tuples(st.just("create"), st.text(min_size=1, max_size=20)),
    st.tuples(st.just("rename"), st.text(min_size=1, max_size=20)),
    st.tuples(st.just("remove"), st.just("")),
)


def _do(lab, who, made, step, name):
    clean = "".join(c for c in name if c.isprintable() and not c.isspace()) or "x"
    if step == "create":
        made.append(lab.event(who, name=f"{clean} {len(made)} {id(made)} {name!r}"[:255].replace("\x00", "")))
    elif made:
        with lab.arrival():
            if step == "rename":
                events.change(who.actor, made[-1].public_id, EventPatch(name=f"{clean} renamed {made[-1].public_id}"))
            else:
                events.remove(who.actor, made.pop().public_id)


@settings(max_examples=25, deadline=None, suppress_health_check=CHECKS)
@given(steps=st.lists(STEP, max_size=8))
def test_any_sequence_of_changes_verifies(lab, ada, verdict, steps):
    made = []
    for step, name in steps:
        _do(lab, ada, made, step, name)
    assert verdict().broken == []


@settings(max_examples=40, deadline=None, suppress_health_check=CHECKS)
@given(data=st.data())
def test_any_single_mutation_of_an_entry_is_found(lab, filled, verdict, data):
    with lab.arrival():
        rows = db.session.execute(select(AuditEntry.__table__).order_by(AuditEntry.number)).mappings().all()
    mine = [dict(row) for row in rows if row["chain"] == _chain(filled)]
    index = data.draw(st.integers(0, len(mine) - 1))
    field = data.draw(st.sampled_from([name for name in decide.SEALED if name not in ("chain", "occurred_on")]))
    other = data.draw(st.one_of(st.none(), st.text(max_size=5), st.integers(0, 30)))
    if mine[index][field] == other:
        return
    mine[index][field] = other
    before = mine[index - 1]["hash"] if index else decide.GENESIS
    assert notary.seal(decide.canonical(mine[index], before)) != mine[index]["hash"]


MUTATION = st.one_of(
    st.tuples(st.just("alter"), st.sampled_from(["verb", "old", "new", "action", "kind", "outcome", "via", "hash"])),
    st.tuples(st.sampled_from(["delete", "swap", "cut"]), st.just("")),
)


@settings(max_examples=25, deadline=None, suppress_health_check=CHECKS)
@given(data=st.data())
def test_any_single_mutation_of_the_table_is_named(lab, filled, verdict, tamper, data):
    table, chain = AuditEntry.__table__, _chain(filled)
    with lab.arrival():
        kept = [dict(row) for row in db.session.execute(select(table).where(table.c.chain == chain)).mappings()]
    numbers = sorted(row["number"] for row in kept)
    number = data.draw(st.sampled_from(numbers))
    other = data.draw(st.sampled_from([n for n in numbers if n != number]))
    what, column = data.draw(MUTATION)
    tamper(*_mutations(what, column, chain, number, other))
    (broken,) = verdict().broken
    assert broken.number == (min(number, other) if what == "swap" else number), (what, column)
    tamper(f"DELETE FROM audit_entries WHERE chain = {chain}") if (what, number) != ("cut", 1) else None
    with lab.app.app_context(), db.engine.begin() as connection:
        connection.execute(insert(table), kept)
    assert verdict().broken == []


def _mutations(what, column, chain, number, other):
    where = f"WHERE chain = {chain} AND number"
    if what == "alter":
        new = "substr(hash, 2) || '?'" if column == "hash" else f"{column} || '!'"
        return [f"UPDATE audit_entries SET {column} = {new} {where} = {number}"]
    if what == "swap":
        moves = ((number, -1), (other, number), (-1, other))
        return [f"UPDATE audit_entries SET number = {new} {where} = {old}" for old, new in moves]
    return [f"DELETE FROM audit_entries {where} {'>=' if what == 'cut' else '='} {number}"]


# --- many at once -----------------------------------------------------------------------------------------------------


def test_eight_who_write_at_the_same_time_leave_one_unbroken_chain(app, lab, ada, verdict, trail):
    before, each = len(trail(ada)), 12
    failures = []

    def write(number):
        try:
            for turn in range(each):
                lab.event(ada, name=f"Thread {number} turn {turn}")
        except Exception as error:  # noqa: BLE001 - whatever it is, the test tells
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    entries = trail(ada, before)
    assert [entry.number for entry in entries] == list(range(before + 1, before + 8 * each + 1))
    assert verdict().broken == []


def test_two_who_begin_the_same_chain_leave_one_head(app, lab, verdict):
    gate, failures = threading.Barrier(4), []

    def begin(number):
        try:
            with app.app_context(), transaction():
                gate.wait(timeout=10) if db.engine.dialect.name == "postgresql" else None
                lab.organization(f"Organization {number}")
                db.session.flush()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test tells
            failures.append(error)

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with lab.arrival(write=False):
        assert len(db.session.scalars(select(AuditChain.chain)).all()) == 4
    assert verdict().broken == []
