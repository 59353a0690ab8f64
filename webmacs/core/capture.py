"""Sees every change that goes through the session, so that no feature can forget to tell of it.

Objects are seen when they are flushed, UPDATE, DELETE and INSERT statements when they are executed. What goes past the
session (the datapoint store on the driver's own connection, what the database deletes by itself along with a row) is
not seen.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, event, func, select, tuple_
from sqlalchemy.orm import ORMExecuteState, PassiveFlag, Session, SessionTransaction, object_mapper
from sqlalchemy.orm.attributes import History, get_history, instance_dict

from webmacs.core.db import Base, Transaction, current
from webmacs.core.trail import Change

ONE_BY_ONE = 100  # rows of one statement; of more only their number is told
OVERWRITTEN = "webmacs.overwritten"  # in the session's memory: what the flush under way overwrites, by object

Values = Mapping[str, Any]


def why_not(table: Table) -> str | None:
    """Why changes to a table are not told; None: they are."""
    return table.info.get("unaudited")


def kind_of(table: Table) -> str:
    """What a row of a table is called: `channel_mappings` → `channel mapping`."""
    name: str = table.info.get("audited_as") or table.name.replace("_", " ")
    return f"{name[:-3]}y" if name.endswith("ies") else name.removesuffix("s")


def is_told(column: Column[Any]) -> bool:
    """Whether a change of this column is a change, rather than a sign of use or progress."""
    return not column.info.get("unaudited") and not column.primary_key


def _key(table: Table, row: Values) -> tuple[Any, ...]:
    return tuple(row.get(column.name) for column in table.primary_key)


def _told(table: Table, row: Values) -> dict[str, Any]:
    return {c.name: row[c.name] for c in table.columns if is_told(c) and row.get(c.name) is not None}


def _note(work: Transaction, table: Table, change: Change) -> None:
    """Add a change; what one transaction does to one thing is one change."""
    name = (kind_of(table), change.known.get("public_id") or _key(table, change.known))
    earlier = work.changes.get(name)
    if earlier is None:
        work.changes[name] = change
        return
    earlier.known.update({k: v for k, v in change.known.items() if v is not None or k not in earlier.known})
    earlier.old = {**change.old, **earlier.old} if earlier.action != "created" else earlier.old
    earlier.new = {} if change.action == "deleted" else {**earlier.new, **change.new}
    if change.action == "deleted":
        if earlier.action == "created":
            del work.changes[name]
        earlier.action = "deleted"
    elif earlier.action == "changed":
        for column in [c for c, value in earlier.new.items() if c in earlier.old and earlier.old[c] == value]:
            del earlier.old[column], earlier.new[column]
        if not earlier.new:
            del work.changes[name]


# --- objects ----------------------------------------------------------------------------------------------------------


def _columns(obj: object) -> tuple[Table, list[tuple[str, Column[Any]]]]:
    """The table of an object, and attribute → column, the primary key included."""
    mapper = object_mapper(obj)
    columns = [(a.key, a.columns[0]) for a in mapper.column_attrs if isinstance(a.columns[0], Column)]
    return mapper.local_table, columns  # type: ignore[return-value]  # every model has a table


def _changed(obj: object, columns: Sequence[tuple[str, Column[Any]]]) -> Iterator[tuple[Column[Any], History]]:
    for key, column in columns:
        history = get_history(obj, key, PassiveFlag.PASSIVE_NO_INITIALIZE)
        if is_told(column) and history.added:
            yield column, history


def _remember(session: Session, *_: object) -> None:
    """Ask for what the flush will overwrite where the object itself does not know it any more."""
    if current() is None:
        return
    missing: dict[int, Values] = {}
    for obj in [*session.dirty, *session.deleted]:
        table, columns = _columns(obj)
        if why_not(table) is not None:
            continue
        known = instance_dict(obj)
        if obj in session.deleted:
            is_missing = any(key not in known for key, _ in columns)
        else:
            is_missing = any(not history.deleted for _, history in _changed(obj, columns))
        if is_missing:
            key = object_mapper(obj).primary_key_from_instance(obj)
            row = session.connection().execute(select(table).where(*_equal(table, key))).mappings().first()
            missing[id(obj)] = dict(row) if row is not None else {}
    session.info[OVERWRITTEN] = missing


def _flushed(session: Session, _context: object) -> None:
    work = current()
    if work is None:
        return
    missing: dict[int, Values] = session.info.pop(OVERWRITTEN, {})
    for obj in session.new:
        table, columns = _columns(obj)
        if why_not(table) is None:
            row = {column.name: instance_dict(obj).get(key) for key, column in columns}
            _note(work, table, Change(table.name, "created", row, {}, _told(table, row)))
    for obj in session.dirty:
        table, columns = _columns(obj)
        if why_not(table) is None:
            _note_changed(work, obj, missing.get(id(obj), {}))
    for obj in session.deleted:
        table, columns = _columns(obj)
        if why_not(table) is None:
            row = {column.name: instance_dict(obj).get(key) for key, column in columns}
            row = {**row, **missing.get(id(obj), {})}
            _note(work, table, Change(table.name, "deleted", row, _told(table, row), {}))


def _note_changed(work: Transaction, obj: object, overwritten: Values) -> None:
    table, columns = _columns(obj)
    old, new = {}, {}
    for column, history in _changed(obj, columns):
        before = next(iter(history.deleted)) if history.deleted else overwritten.get(column.name)
        after = next(iter(history.added))
        if before != after:
            old[column.name], new[column.name] = before, after
    if new:
        row = {column.name: instance_dict(obj).get(key) for key, column in columns}
        _note(work, table, Change(table.name, "changed", row, old, new))


# --- statements -------------------------------------------------------------------------------------------------------


def _execute(state: ORMExecuteState) -> Any:
    work = current()
    if work is None or not (state.is_insert or state.is_update or state.is_delete):
        return None
    statement: Any = state.statement
    table = Base.metadata.tables[statement.table.name]
    if why_not(table) is not None:
        return None
    if state.is_insert:
        return _insert(work, state, table)
    touched = None if state.is_delete else _touched(statement, state.parameters)
    if touched is not None and not any(is_told(table.c[name]) for name in touched):
        return None
    criteria = [] if statement.whereclause is None else [statement.whereclause]
    if isinstance(state.parameters, Sequence) and state.parameters:  # by primary key, many at once
        criteria = [_among(table, [_key(table, row) for row in state.parameters])]
    rows = state.session.execute(select(table).where(*criteria).limit(ONE_BY_ONE + 1).with_for_update()).mappings()
    before = [dict(row) for row in rows]
    if len(before) > ONE_BY_ONE:
        count = state.session.scalar(select(func.count()).select_from(table).where(*criteria))
        result = state.invoke_statement()
        action = "deleted" if state.is_delete else "changed"
        new = {} if state.is_delete else _literals(statement)
        work.changes[object()] = Change(table.name, action, {}, {}, new, count=count)
        return result
    result = state.invoke_statement()
    if before:
        _compare(work, state, table, before)
    return result


def _compare(work: Transaction, state: ORMExecuteState, table: Table, before: list[dict[str, Any]]) -> None:
    """Note what the statement made of the rows that it met."""
    if state.is_delete:
        for row in before:
            _note(work, table, Change(table.name, "deleted", row, _told(table, row), {}))
        return
    met = _among(table, [_key(table, row) for row in before])
    rows = [dict(row) for row in state.session.execute(select(table).where(met)).mappings()]
    after = {_key(table, row): row for row in rows}
    for row in before:
        now = after.get(_key(table, row), row)
        names = [c.name for c in table.columns if is_told(c) and now[c.name] != row[c.name]]
        if names:
            old, new = {n: row[n] for n in names}, {n: now[n] for n in names}
            _note(work, table, Change(table.name, "changed", now, old, new))


def _insert(work: Transaction, state: ORMExecuteState, table: Table) -> Any:
    """Rows that are inserted without objects are known by what is given for them."""
    result = state.invoke_statement()
    statement: Any = state.statement
    given = state.parameters or statement.compile().params
    rows: Sequence[Values] = [given] if isinstance(given, Mapping) else given
    if len(rows) > ONE_BY_ONE:
        work.changes[object()] = Change(table.name, "created", count=len(rows))
        return result
    for row in rows:
        # without its key a row is like no other
        work.changes[object()] = Change(table.name, "created", dict(row), {}, _told(table, row) or dict(row))
    return result


def _touched(statement: Any, parameters: Any) -> set[str] | None:
    """The columns that an UPDATE sets; None when it does not say."""
    values = statement._values or {}  # nothing public tells
    names = {key if isinstance(key, str) else key.name for key in values}
    for row in parameters if isinstance(parameters, Sequence) else [parameters or {}]:
        names |= set(row)
    return names or None


def _literals(statement: Any) -> dict[str, Any]:
    values = (statement._values or {}).items()  # nothing public tells
    return {key.name: value.value for key, value in values if getattr(value, "value", None) is not None}


def _equal(table: Table, key: Sequence[Any]) -> list[ColumnElement[bool]]:
    return [column == value for column, value in zip(table.primary_key, key, strict=True)]


def _among(table: Table, keys: Sequence[tuple[Any, ...]]) -> ColumnElement[bool]:
    columns = list(table.primary_key)
    if len(columns) == 1:
        return columns[0].in_([key[0] for key in keys])
    return tuple_(*columns).in_(keys)


# --- savepoints -------------------------------------------------------------------------------------------------------


def _begun(_session: Session, transaction: SessionTransaction) -> None:
    work = current()
    if work is not None and transaction.nested:
        work.saved.append({name: change.copy() for name, change in work.changes.items()})


def _ended(_session: Session, transaction: SessionTransaction) -> None:
    work = current()
    if work is not None and transaction.nested and work.saved:
        work.last_saved = work.saved.pop()


def _undone(_session: Session, transaction: SessionTransaction) -> None:
    """A savepoint was rolled back; that it ended was told just before."""
    work = current()
    if work is not None and transaction.nested:
        work.changes = work.last_saved


LISTENERS = (
    ("before_flush", _remember),
    ("after_flush", _flushed),
    ("do_orm_execute", _execute),
    ("after_transaction_create", _begun),
    ("after_soft_rollback", _undone),
    ("after_transaction_end", _ended),
)


def install() -> None:
    """Listen to every session; once is enough."""
    for name, listener in LISTENERS:
        if not event.contains(Session, name, listener):
            event.listen(Session, name, listener)
