"""Writing the audit trail: called by the transaction itself, just before its commit."""

import time
from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, Table, insert, select, update

from webmacs.core import clock
from webmacs.core.capture import kind_of
from webmacs.core.db import Base, Transaction, db, upsert
from webmacs.core.ids import new_id
from webmacs.core.tenancy import leave
from webmacs.core.trail import Change, Refused
from webmacs.features.audit import decide
from webmacs.features.audit.models import INSTALLATION, AuditChain, AuditEntry
from webmacs.gateways.signing import notary

NAMES = ("name", "instance_name", "channel_name", "username", "filename", "title", "label", "email")
ORGANIZATION = "organization_id"
DAMAGE = "The head of this chain was altered or deleted before this entry was written."

_entries: Table = Base.metadata.tables[AuditEntry.__tablename__]
_chains: Table = Base.metadata.tables[AuditChain.__tablename__]
limit = decide.Limit()


def choose(work: Transaction) -> list[Refused]:
    """Which refusals of an arrival are told: so many of a minute, then how many more there were."""
    now = time.monotonic()
    told = [refusal for refusal in work.refusals if limit.take(work.origin.address, now)]
    return _rest(now) + told


def _rest(now: float) -> list[Refused]:
    sentence = "{} more refusals were counted and not told one by one."
    return [Refused(sentence.format(count), "accesses", address=place) for place, count in limit.rest(now).items()]


def append(work: Transaction) -> None:
    """Write an entry for each change of the open transaction and each refusal that it tells, in that transaction."""
    leave()  # a change may belong to the chain of another organization, and nobody within one writes into any
    names = _Names(db.session.connection())
    who = _who(work, names)
    entries: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for refusal in [*work.told, *_rest(time.monotonic())]:
        organization_id = names.home(refusal.user_id or 0) or who["organization_id"]
        entries[organization_id or INSTALLATION].append(_refused(refusal, names))
    for change in work.changes.values():
        chain, entry = _described(change, names)
        entries[chain or who["organization_id"] or INSTALLATION].append(entry)
    origin = work.origin
    common = {name: value for name, value in who.items() if name != "organization_id"}
    common |= {"verb": origin.verb[:100], "reason": origin.reason, "request_id": origin.request_id}
    common |= {"occurred_on": clock.now(), "address": origin.address}
    for chain in sorted(entries):  # always in one order: two transactions cannot wait for each other
        _link(names.connection, chain, [common | entry for entry in entries[chain]])


# --- who and what -----------------------------------------------------------------------------------------------------


class _Names:
    """Public ids and names of the rows that a change refers to, each asked for once."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._found: dict[tuple[str, Any], dict[str, Any]] = {}

    def row(self, table: Table, value: Any) -> dict[str, Any]:
        """Name, public id and organization of a row, by its primary key; nothing when it is gone."""
        known = self._found.get((table.name, value))
        if known is None:
            wanted = [table.c[c] for c in ("public_id", "organization_id", *NAMES) if c in table.c]
            (key,) = table.primary_key
            found = self.connection.execute(select(*wanted).where(key == value)).mappings().first() if wanted else None
            known = self._found[table.name, value] = dict(found or {})
        return known

    def text(self, table: Table, value: Any) -> str:
        """A row for people: its name and its public id."""
        row = self.row(table, value)
        name, public_id = name_of(row), row.get("public_id")
        return f"{name} ({public_id})" if name and public_id else name or public_id or f"#{value}"

    def home(self, user_id: int) -> int | None:
        """The organization whose administrators answer for somebody: the one that they joined first."""
        m = Base.metadata.tables["memberships"].c
        return self.connection.scalar(select(m.organization_id).where(m.user_id == user_id).order_by(m.id).limit(1))

    def last_name(self, public_id: str) -> str | None:
        """What the trail called a thing last."""
        e = _entries.c
        newest = select(e.object_name).where(e.object_public_id == public_id).order_by(e.id.desc()).limit(1)
        return self.connection.scalar(newest)


def name_of(row: Any) -> str | None:
    """The column that people know a row by."""
    return next((str(row[name]) for name in NAMES if row.get(name)), None)


def _who(work: Transaction, names: _Names) -> dict[str, Any]:
    actor, origin = work.origin.actor, work.origin
    found: dict[str, Any] = {"organization_id": None, "user_public_id": None, "username": "", "via": origin.door}
    found["session_public_id"] = None
    if work.who is not None:
        user = names.row(Base.metadata.tables["users"], work.who.user_id)
        found |= {"organization_id": work.who.organization_id, "user_public_id": user.get("public_id")}
        found["username"] = user.get("username", "")
    elif actor is not None and not actor.is_anonymous:
        found |= {"organization_id": actor.organization_id, "user_public_id": actor.public_id}
        found |= {"username": actor.username, "via": actor.via, "session_public_id": actor.session_id}
    elif origin.door == "system":
        found["username"] = "WebMACS"
    return found


def _refused(refusal: Refused, names: _Names) -> dict[str, Any]:
    # asked for also when there is none: how long a refusal takes must not tell whether somebody exists
    user = names.row(Base.metadata.tables["users"], refusal.user_id or 0)
    entry = {
        "action": "refused",
        "kind": refusal.kind,
        "object_public_id": user.get("public_id"),
        "object_name": refusal.tried,
        "old": "{}",
        "new": "{}",
        "outcome": "refused",
        "sentence": refusal.sentence,
    }
    return entry if refusal.address is None else entry | {"address": refusal.address}


def _described(change: Change, names: _Names) -> tuple[int | None, dict[str, Any]]:
    """The organization that a change belongs to, and what its entry tells."""
    known, public_id = change.known, change.known.get("public_id")
    organization_id, name, kind, others = known.get("organization_id"), name_of(known), change.kind, {}
    if change.table is not None:
        table = Base.metadata.tables[change.table]
        kind, others = kind_of(table), _references(table)
        if table.name == "organizations":
            organization_id = known.get("id")
        if organization_id is None or name is None or public_id is None:  # others tell, at the price of a question each
            rows = [names.row(others[n], known[n]) for n in others if n != ORGANIZATION and known.get(n) is not None]
            public_id = public_id or (
                rows[0].get("public_id") if len(rows) == 1 else None
            )  # a membership is its user's
            organization_id = organization_id or next((r[ORGANIZATION] for r in rows if r.get(ORGANIZATION)), None)
            name = name or ", ".join(filter(None, map(name_of, rows))) or None
    if change.count is not None:
        name = f"{change.count} at once"
    entry = {
        "action": change.action,
        "kind": kind,
        "object_public_id": public_id,
        "object_name": name or (names.last_name(public_id) if public_id else None),
        "old": _values(change, change.old, others, names),
        "new": _values(change, change.new, others, names),
        "outcome": "done",
        "sentence": None,
    }
    return organization_id, entry


def _values(change: Change, values: dict[str, Any], others: dict[str, Table], names: _Names) -> str:
    """The values of one side as JSON; the names of rows in place of their keys."""
    shown = {}
    for column, value in values.items():
        if column == "public_id" or (column == ORGANIZATION and change.action != "changed"):
            continue  # the entry itself says so
        is_key = column in others and value is not None
        shown[column] = names.text(others[column], value) if is_key else decide.shown(column, value)
    return decide.plainly(shown)


def _references(table: Table) -> dict[str, Table]:
    """Column → the table whose rows it names."""
    return {c.name: next(iter(c.foreign_keys)).column.table for c in table.columns if c.foreign_keys}


# --- the chain --------------------------------------------------------------------------------------------------------


def _link(connection: Connection, chain: int, entries: list[dict[str, Any]]) -> None:
    """Append entries to a chain; its head is locked from here until the commit."""
    count, last, is_whole = _head(connection, chain)
    if not is_whole:
        damage = {"action": decide.DAMAGED, "kind": "audit trail", "object_public_id": None, "object_name": None}
        damage |= {"old": "{}", "new": "{}", "outcome": "refused", "sentence": DAMAGE}
        entries = [entries[0] | damage, *entries]
    for entry in entries:
        count += 1
        entry |= {"chain": chain, "number": count, "public_id": new_id("aud")}
        entry |= {name: _text(value) for name, value in entry.items() if isinstance(value, str)}
        entry["hash"] = last = notary.seal(decide.canonical(entry, last))
    connection.execute(insert(_entries), entries)
    seal = notary.seal(decide.head(chain, count, last))
    connection.execute(update(_chains).where(_chains.c.chain == chain).values(count=count, hash=last, seal=seal))


def _head(connection: Connection, chain: int) -> tuple[int, str, bool]:
    """How many entries a chain has, the hash of the last one, and whether that is what was written here last."""
    wanted = select(_chains.c.count, _chains.c.hash, _chains.c.seal).where(_chains.c.chain == chain).with_for_update()
    row = connection.execute(wanted).first()
    if row is None:
        new = {"chain": chain, "count": 0, "hash": decide.GENESIS}
        new["seal"] = notary.seal(decide.head(chain, 0, decide.GENESIS))
        connection.execute(upsert(_chains).values(new).on_conflict_do_nothing())
        row = connection.execute(wanted).one()
    count, last, seal = row
    if count and notary.seal(decide.head(chain, count, last)) == seal:
        return count, last, True
    e = _entries.c
    mine = select(e.number, e.hash).where(e.chain == chain)
    newest = connection.execute(mine.order_by(e.number.desc()).limit(1)).first()
    if newest is None:
        return 0, decide.GENESIS, count == 0
    return newest.number, newest.hash, False


def _text(value: str) -> str:
    return value.replace("\x00", "")  # PostgreSQL cannot keep it
