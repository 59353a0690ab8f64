"""Datapoints in SQLite: one clustered table, prepared statements on the driver's own connection."""

import sqlite3
from collections.abc import Sequence
from itertools import chain

from webmacs.features.datapoints.store.base import Row, distinct, late_blocks, newest

INSERT = "INSERT INTO datapoints (event_id, ts, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
KEEP = """INSERT INTO latest_datapoints (event_id, ts, value) VALUES (?, ?, ?) ON CONFLICT (event_id)
DO UPDATE SET ts = excluded.ts, value = excluded.value WHERE latest_datapoints.ts < excluded.ts"""
OPEN_FROM = "SELECT open_from FROM rollup_state WHERE id = 1"
MARK = "INSERT INTO stale_blocks (event_id, block, marks) VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET marks = marks + 1"


class SqliteStore:
    """The store of one box."""

    def write(self, connection: sqlite3.Connection, timed: Sequence[Row], untimed: Sequence[Row]) -> Sequence[Row]:
        """See `Store.write`."""
        cursor = connection.cursor()
        rows = distinct(timed)
        if rows:
            cursor.executemany(INSERT, rows)
        placed = _place(cursor, untimed) if untimed else untimed
        cursor.executemany(KEEP, newest(chain(rows, placed)))
        found = cursor.execute(OPEN_FROM).fetchone()
        late = late_blocks(chain(rows, placed), found[0]) if found else []
        if late:
            cursor.executemany(MARK, late)
        return placed


def _place(cursor: sqlite3.Cursor, rows: Sequence[Row]) -> Sequence[Row]:
    """Insert rows whose time is ours to choose; nearly always every one of them finds its moment free."""
    cursor.execute("SAVEPOINT place")
    cursor.executemany(INSERT, rows)
    if cursor.rowcount == len(rows):
        cursor.execute("RELEASE place")
        return rows
    cursor.execute("ROLLBACK TO place")
    cursor.execute("RELEASE place")
    placed = []
    for wanted in rows:
        row = wanted
        while cursor.execute(INSERT, row).rowcount == 0:
            row = row._replace(ts=row.ts + 1)
        placed.append(row)
    return placed
