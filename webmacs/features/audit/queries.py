"""Reads of the audit trail, and the walk that finds the first broken link of each chain."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Engine, RowMapping, Select, Table, or_, select, union

from webmacs.core import clock
from webmacs.core.db import Base, db
from webmacs.core.errors import NotFound
from webmacs.core.identity import Actor
from webmacs.core.permissions import Can, authorize
from webmacs.core.tenancy import as_owner
from webmacs.features.audit import decide
from webmacs.features.audit.models import INSTALLATION, AuditChain, AuditEntry
from webmacs.features.audit.schemas import AuditConditions, AuditFilter
from webmacs.gateways.signing import notary

_entries: Table = Base.metadata.tables[AuditEntry.__tablename__]
_heads: Table = Base.metadata.tables[AuditChain.__tablename__]

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the beginning of one
AT_ONCE = 500  # entries in memory while all are walked


@dataclass(frozen=True)
class Listing:
    """One page of entries; `next_cursor` is None on the last one."""

    page_size: int
    next_cursor: str | None
    data: Sequence[AuditEntry]


def _chains(actor: Actor) -> list[int]:
    """The chains that an actor may read: who administers the installation reads what belongs to no organization too."""
    return [actor.organization_id, *([INSTALLATION] if actor.is_installation_admin else [])]


def _visible(actor: Actor) -> Select[AuditEntry]:
    authorize(actor, Can.READ_AUDIT)
    return select(AuditEntry).where(AuditEntry.chain.in_(_chains(actor)))


def _reading(actor: Actor) -> AbstractContextManager[None]:
    """What belongs to no organization is not seen from within one."""
    return as_owner() if actor.is_installation_admin else nullcontext()


def _chosen(statement: Select[AuditEntry], query: AuditConditions) -> Select[AuditEntry]:
    e = AuditEntry
    if query.who:
        statement = statement.where(or_(_contains(e.username, query.who), e.user_public_id == query.who))
    if query.what:
        named = or_(_contains(e.object_name, query.what), _contains(e.verb, query.what))
        statement = statement.where(or_(named, e.object_public_id == query.what))
    if query.kind:
        statement = statement.where(e.kind == query.kind)
    if query.outcome is not None:
        statement = statement.where(e.outcome == query.outcome)
    if query.start is not None:
        statement = statement.where(e.occurred_on >= query.start)
    if query.stop is not None:
        statement = statement.where(e.occurred_on <= query.stop)
    return statement


def _contains(column: Any, text: str) -> ColumnElement[bool]:
    found: ColumnElement[bool] = column.icontains(text, autoescape=True)
    return found


def find(actor: Actor, query: AuditFilter) -> Listing:
    """Entries, newest first. A cursor that is none of these entries' is unknown."""
    statement = _chosen(_visible(actor), query)
    if query.cursor is not None:
        statement = statement.where(AuditEntry.id < get(actor, query.cursor).id)
    with _reading(actor):
        rows = db.session.scalars(statement.order_by(AuditEntry.id.desc()).limit(query.page_size + 1)).all()
    shown = rows[: query.page_size]
    return Listing(query.page_size, shown[-1].public_id if len(rows) > len(shown) else None, shown)


def get(actor: Actor, public_id: str) -> AuditEntry:
    """One entry."""
    with _reading(actor):
        entry = db.session.scalar(_visible(actor).where(AuditEntry.public_id == public_id))
    if entry is None:
        raise NotFound("Audit entry", public_id)
    return entry


def kinds(actor: Actor) -> Sequence[str]:
    """The kinds of things that the entries are about."""
    shown = _visible(actor).with_only_columns(AuditEntry.kind).distinct().order_by("kind")
    with _reading(actor):
        return db.session.scalars(shown).all()


# --- as text ----------------------------------------------------------------------------------------------------------

COLUMNS = [column for column in _entries.c if column.name not in ("id", "chain")]


@dataclass(frozen=True)
class Plan:
    """Which entries a file is to hold; its pages are read on connections of their own."""

    statement: Select[Any]
    engine: Engine

    def rows(self) -> Iterator[RowMapping]:
        """The entries, oldest first; no connection is held between pages."""
        last = 0
        while True:
            page = self.statement.where(_entries.c.id > last).order_by(_entries.c.id).limit(AT_ONCE)
            with self.engine.connect() as connection:
                rows = connection.execute(page).mappings().all()
            if not rows:
                return
            yield from rows
            last = rows[-1]["id"]


def plan(actor: Actor, query: AuditConditions) -> Plan:
    """All chosen entries."""
    return Plan(_chosen(_visible(actor), query).with_only_columns(*_entries.c), db.engine)


def plan_of_everything() -> Plan:
    """All entries of all chains, for whoever sits at the machine."""
    return Plan(select(_entries), db.engine)


def text_chunks(made: Plan, form: str) -> Iterator[bytes]:
    """The entries as CSV or NDJSON, some at a time; memory does not grow with their number."""
    rows = made.rows()
    if form == "csv":
        yield (",".join(["organization_chain", *(column.name for column in COLUMNS)]) + "\r\n").encode()
    while page := list(islice(rows, AT_ONCE)):
        yield (_csv(page) if form == "csv" else _ndjson(page)).encode()


def _csv(rows: Sequence[RowMapping]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([row["chain"], *(_cell(row[column.name]) for column in COLUMNS)] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: strangers choose the address that they try to sign in with."""
    if isinstance(value, datetime):
        return clock.iso_z(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _ndjson(rows: Sequence[RowMapping]) -> str:
    return "".join(json.dumps(_document(row), ensure_ascii=False) + "\n" for row in rows)


def _document(row: RowMapping) -> dict[str, Any]:
    plain = {name: row[name] for name in ("chain", *(column.name for column in COLUMNS))}
    return plain | {
        "occurred_on": clock.iso_z(row["occurred_on"]),
        "old": json.loads(row["old"]),
        "new": json.loads(row["new"]),
    }


# --- whether it is whole ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Broken:
    """The first link of a chain that does not hold."""

    organization: str
    number: int
    what: str

    def __str__(self) -> str:
        return f"{self.organization}, entry {self.number}: {self.what}"


@dataclass(frozen=True)
class Verdict:
    """How many entries were walked, and what is wrong: nothing when all chains are complete."""

    entries: int
    broken: list[Broken]


def verify() -> Verdict:
    """Walk every chain and check every seal; memory does not grow with the number of entries."""
    connection = db.session.connection()
    chains = connection.scalars(union(select(_entries.c.chain), select(_heads.c.chain)).order_by("chain")).all()
    walked, broken = 0, []
    for chain in chains:
        count, wrong = _verify(chain)
        walked += count
        if wrong is not None:
            number, what = wrong
            broken.append(Broken(_name(chain), number, what))
    return Verdict(walked, broken)


def _name(chain: int) -> str:
    organizations = Base.metadata.tables["organizations"]
    if chain == INSTALLATION:
        return "Installation"
    name = db.session.connection().scalar(select(organizations.c.name).where(organizations.c.id == chain))
    return f"Organization '{name}'" if name else f"Organization #{chain}, which is gone"


def _verify(chain: int) -> tuple[int, tuple[int, str] | None]:
    """How many entries hold, and the number and the fault of the first that does not."""
    connection = db.session.connection()
    number, last = 0, decide.GENESIS
    while True:
        head = connection.execute(select(_heads).where(_heads.c.chain == chain)).mappings().first()
        for row in _rows(chain, number):
            number += 1
            fault = _fault(row, number, last)
            if fault is not None:
                return number - 1, (number, fault)
            last = row["hash"]
        if head is None:
            return number, (number, "the chain has no head: what followed may have been cut off")
        count, seal = head["count"], notary.seal(decide.head(chain, head["count"], head["hash"]))
        if seal != head["seal"]:
            return number, (count, "the head of the chain was altered")
        if count == number and head["hash"] == last:
            return number, None
        if count > number:
            return number, (number + 1, f"the chain ends before it; its head knows {count} entries")
        if connection.scalar(select(_heads.c.count).where(_heads.c.chain == chain)) == count:
            return number, (count + 1, "the head of the chain does not know it")


def _rows(chain: int, after: int) -> Iterator[RowMapping]:
    """The entries of a chain, in order."""
    e, last = _entries.c, after or None
    while True:
        page = select(_entries).where(e.chain == chain, *([e.number > last] if last is not None else []))
        rows = db.session.connection().execute(page.order_by(e.number).limit(AT_ONCE)).mappings().all()
        if not rows:
            return
        yield from rows
        last = rows[-1]["number"]


def _fault(row: RowMapping, number: int, before: str) -> str | None:
    """What is wrong with an entry that stands where `number` is expected."""
    if row["number"] > number:
        return "this entry is missing"
    if row["number"] < number:
        return f"before it stands an entry with the number {row['number']}"
    if notary.seal(decide.canonical(dict(row), before)) != row["hash"]:
        return "its content does not fit its seal: it was altered, or stands in another entry's place"
    return str(row["sentence"]) if row["action"] == decide.DAMAGED else None
