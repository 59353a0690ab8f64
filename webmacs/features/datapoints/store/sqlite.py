"""Datapoints in SQLite: one clustered table, prepared statements on the driver's own connection."""

import json
import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

from webmacs.core.errors import Conflict
from webmacs.features.datapoints.store.base import Columns, Point, apart, distinct, late_blocks, newest, runs

AT_ONCE = 50  # rows of one statement; more of them gain nothing

# FAIL leaves the rows before a failure in place: SQLite then keeps no journal of its own for each statement, which
# would copy every page that it touches. Whoever sees a failure rolls the whole transaction back.
INSERT = ("INSERT OR FAIL INTO datapoints (event_id, ts, value)", "(?, ?, ?)", "ON CONFLICT DO NOTHING")
KEEP = (
    "INSERT OR FAIL INTO latest_datapoints (event_id, ts, value)",
    "(?, ?, ?)",
    """ON CONFLICT (event_id) DO UPDATE SET ts = excluded.ts, value = excluded.value
    WHERE latest_datapoints.ts < excluded.ts""",
)
MARK = (
    "INSERT OR FAIL INTO stale_blocks (event_id, block, marks)",
    "(?, ?, 1)",
    "ON CONFLICT DO UPDATE SET marks = marks + 1",
)
OPEN_FROM = "SELECT open_from FROM rollup_state WHERE id = 1"
LATEST = "SELECT event_id, ts FROM latest_datapoints WHERE event_id IN (SELECT value FROM json_each(?))"
# the end of the run of taken moments that begins at ?2
TAKEN_UNTIL = """SELECT d.ts FROM datapoints d WHERE d.event_id = ?1 AND d.ts >= ?2 AND NOT EXISTS
(SELECT 1 FROM datapoints n WHERE n.event_id = ?1 AND n.ts = d.ts + 1) ORDER BY d.ts LIMIT 1"""


class SqliteStore:
    """The store of one box."""

    def write(
        self,
        connection: sqlite3.Connection,
        timed: Sequence[Point],
        untimed: Sequence[Point],
        *,
        alone: bool = False,  # noqa: ARG002 - a commit costs no trip here
    ) -> Sequence[Point]:
        """See `Store.write`."""
        cursor = connection.cursor()
        rows = distinct(timed) if timed else []
        wishes = apart(untimed, rows) if untimed else untimed
        doubtful = _doubtful(cursor, wishes) if wishes else None
        if doubtful:
            _insert(cursor, INSERT, rows)
            wishes = [_place(cursor, wish) if wish[0] in doubtful else wish for wish in wishes]
        everything = sorted(chain(rows, wishes)) if wishes else rows
        if not everything:
            return wishes
        _insert(cursor, INSERT, everything)
        _insert(cursor, KEEP, newest(everything))
        found = cursor.execute(OPEN_FROM).fetchone()
        if found:
            _insert(cursor, MARK, late_blocks(everything, found[0]))
        return wishes

    def load(self, connection: sqlite3.Connection, columns: Columns) -> Sequence[Point]:
        """See `Store.load`."""
        found = runs(columns)
        if found is None:
            rows = distinct(list(zip(*columns, strict=True)))
            self.write(connection, rows, ())
            return newest(rows)
        cursor = connection.cursor()
        count = len(columns.times)
        cells: list[Any] = [None] * (3 * count)
        cells[0::3], cells[1::3], cells[2::3] = found.columns
        whole = count - count % AT_ONCE
        for begin in range(0, 3 * whole, 3 * AT_ONCE):
            cursor.execute(_statement(INSERT, AT_ONCE), cells[begin : begin + 3 * AT_ONCE])
        _insert(cursor, INSERT, [tuple(cells[place : place + 3]) for place in range(3 * whole, 3 * count, 3)])
        _insert(cursor, KEEP, found.newest)
        state = cursor.execute(OPEN_FROM).fetchone()
        if state:
            _insert(cursor, MARK, [(event_id, block) for event_id, block, ts in found.blocks if ts < state[0]])
        return found.newest

    def make_ahead(self, connection: sqlite3.Connection) -> None:
        """See `Store.make_ahead`; a file grows by itself."""

    def distribute(self, connection: sqlite3.Connection) -> list[str]:  # noqa: ARG002 - the interface's signature
        """See `Store.distribute`."""
        raise Conflict("SQLite is one file on one machine. Only a PostgreSQL with Citus can be spread over several.")


@cache
def _statement(parts: tuple[str, str, str], rows: int) -> str:
    head, row, tail = parts
    return f"{head} VALUES {', '.join([row] * rows)} {tail}"


def _insert(cursor: sqlite3.Cursor, parts: tuple[str, str, str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows, many with each statement."""
    count = len(rows)
    whole = count - count % AT_ONCE
    for begin in range(0, whole, AT_ONCE):
        values = list(chain.from_iterable(rows[begin : begin + AT_ONCE]))
        cursor.execute(_statement(parts, AT_ONCE), values)
    if whole < count:
        cursor.executemany(_statement(parts, 1), rows[whole:] if whole else rows)


def _doubtful(cursor: sqlite3.Cursor, wishes: Sequence[Point]) -> set[int]:
    """The channels in which a wished moment may be taken: beyond the latest value every one is free."""
    known = dict(cursor.execute(LATEST, (json.dumps([wish[0] for wish in newest(wishes)]),)))
    return {event_id for event_id, ts, _ in wishes if event_id in known and ts <= known[event_id]}


def _place(cursor: sqlite3.Cursor, wish: Point) -> Point:
    """Insert a row at the first free moment from the wished one on."""
    row = wish
    while cursor.execute(_statement(INSERT, 1), row).rowcount == 0:
        (taken,) = cursor.execute(TAKEN_UNTIL, row[:2]).fetchone()
        row = (row[0], taken + 1, row[2])
    return row
