"""Datapoints in PostgreSQL: arrays in, one statement for each table."""

from collections.abc import Sequence
from itertools import chain
from typing import LiteralString

from psycopg import Connection, Cursor

from webmacs.features.datapoints.store.base import Row, distinct, late_blocks, newest

ROLLUP_LOCK = 0x77656200  # advisory: writers share it, so that whoever moves `open_from` knows that none is under way
LOCK: LiteralString = "SELECT pg_advisory_xact_lock_shared(%s)"
INSERT: LiteralString = """INSERT INTO datapoints (event_id, ts, value)
SELECT * FROM unnest(%s::int[], %s::bigint[], %s::float8[]) ON CONFLICT DO NOTHING"""
KEEP: LiteralString = """INSERT INTO latest_datapoints AS l (event_id, ts, value)
SELECT * FROM unnest(%s::int[], %s::bigint[], %s::float8[]) ON CONFLICT (event_id)
DO UPDATE SET ts = excluded.ts, value = excluded.value WHERE l.ts < excluded.ts"""
OPEN_FROM: LiteralString = "SELECT open_from FROM rollup_state WHERE id = 1"
MARK: LiteralString = """INSERT INTO stale_blocks AS s (event_id, block, marks)
SELECT *, 1 FROM unnest(%s::int[], %s::bigint[]) ON CONFLICT (event_id, block) DO UPDATE SET marks = s.marks + 1"""


class PostgresqlStore:
    """The store of many hosts."""

    def write(self, connection: Connection, timed: Sequence[Row], untimed: Sequence[Row]) -> Sequence[Row]:
        """See `Store.write`."""
        with connection.cursor() as cursor:
            cursor.execute(LOCK, (ROLLUP_LOCK,))
            rows = distinct(timed)
            if rows:
                cursor.execute(INSERT, _columns(rows))
            placed = _place(cursor, untimed) if untimed else []
            latest = newest(chain(rows, placed))
            if latest:
                cursor.execute(KEEP, _columns(latest))
            found = cursor.execute(OPEN_FROM).fetchone()
            late = late_blocks(chain(rows, placed), found[0]) if found else []
            if late:
                cursor.execute(MARK, _columns(late))
        return placed


def _place(cursor: Cursor, rows: Sequence[Row]) -> list[Row]:
    """Insert rows whose time is ours to choose; those whose moment is taken move on."""
    placed: list[Row] = []
    left = sorted(rows)
    while left:
        done = set(cursor.execute(INSERT + " RETURNING event_id, ts", _columns(left)).fetchall())
        placed += [row for row in left if (row.event_id, row.ts) in done]
        left = [row._replace(ts=row.ts + len(left)) for row in left if (row.event_id, row.ts) not in done]
    return placed


def _columns(rows: Sequence[tuple[float, ...]]) -> list[list[float]]:
    return [list(column) for column in zip(*rows, strict=True)]
