"""The fast way out: history as columns of plain numbers, straight from the driver.

Exports read millions of rows. Each slice of time is one statement and one result, read to its end at once: no
transaction stays open between two slices, however slowly the reader takes them.
"""

import sqlite3
import sys
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from sqlalchemy import Engine

from webmacs.core.tenancy import begin_within
from webmacs.features.datapoints.store.base import Columns

AIM = 4_000  # rows that one slice aims for
FIRST_WIDTH = 1_000_000  # microseconds of the first slice

# without LIMIT: it would make SQLite keep the rows in a tree while it sorts them
_SQLITE = """SELECT event_id, ts, value FROM datapoints
WHERE event_id IN ({ids}) AND ts >= ? AND ts < ? ORDER BY ts, event_id"""
_SQLITE_NEXT = """SELECT min(ts) FROM (SELECT (SELECT min(d.ts) FROM datapoints d
WHERE d.event_id = e.id AND d.ts >= ? AND d.ts < ?) AS ts FROM events e WHERE e.id IN ({ids})) AS found"""

# one row of three binary columns: what a client would do for each row the server does, outside our interpreter
_POSTGRESQL = """SELECT string_agg(int4send(event_id), ''), string_agg(int8send(ts), ''),
string_agg(float8send(value), '') FROM (SELECT event_id, ts, value FROM datapoints
WHERE event_id = ANY(%s) AND ts >= %s AND ts < %s ORDER BY ts, event_id LIMIT %s) AS slice"""
_POSTGRESQL_NEXT = """SELECT min(ts) FROM (SELECT (SELECT min(d.ts) FROM datapoints d
WHERE d.event_id = e.id AND d.ts >= %s AND d.ts < %s) AS ts FROM unnest(%s::int[]) AS e (id)) AS found"""


NOTHING = Columns((), (), ())


class Slices(Protocol):
    """What differs between the databases."""

    def read(self, begin: int, end: int, limit: int) -> Columns | None:
        """The rows with begin ≤ ts < end in order of (ts, event id), None when there are `limit` or more of them."""

    def following(self, begin: int, end: int) -> int | None:
        """The first moment of the stretch that has a row."""


class SqliteSlices:
    """Reads on a driver's connection that is in no transaction."""

    def __init__(self, driver: sqlite3.Connection, event_ids: Sequence[int]) -> None:
        # written into the statement: SQLite takes 32 766 parameters at most
        ids = ",".join(str(int(event_id)) for event_id in event_ids)
        self._driver = driver
        self._read = _SQLITE.format(ids=ids)
        self._next = _SQLITE_NEXT.format(ids=ids)

    def read(self, begin: int, end: int, limit: int) -> Columns | None:
        """See `Slices.read`."""
        cursor = self._driver.execute(self._read, (begin, end))
        rows = cursor.fetchmany(limit)
        cursor.close()
        if len(rows) == limit:
            return None
        return Columns([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])

    def following(self, begin: int, end: int) -> int | None:
        """See `Slices.following`."""
        found: int | None = self._driver.execute(self._next, (begin, end)).fetchone()[0]
        return found


class PostgresqlSlices:
    """Reads on a driver's connection, within the organization; each statement is a transaction of its own."""

    def __init__(self, driver: Any, organization_id: int, event_ids: Sequence[int]) -> None:
        self._driver = driver
        self._cursor = driver.cursor(binary=True)
        self._organization_id = organization_id
        self._ids = list(event_ids)

    def read(self, begin: int, end: int, limit: int) -> Columns | None:
        """See `Slices.read`."""
        row = self._ask(_POSTGRESQL, (self._ids, begin, end, limit))
        if row[0] is None:
            return NOTHING
        if len(row[0]) == 4 * limit:
            return None
        return Columns(*(_numbers(kind, sent) for kind, sent in zip("iqd", row, strict=True)))

    def following(self, begin: int, end: int) -> int | None:
        """See `Slices.following`."""
        found: int | None = self._ask(_POSTGRESQL_NEXT, (begin, end, self._ids))[0]
        return found

    def _ask(self, text: str, values: tuple[Any, ...]) -> Any:
        begin_within(self._driver, self._organization_id)
        row = self._cursor.execute(text, values).fetchone()
        self._driver.rollback()
        return row


def _numbers(kind: str, sent: bytes) -> list[Any]:
    """Numbers as PostgreSQL sends them: big-endian, 4 bytes (i) or 8."""
    numbers = array(kind, sent)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers.tolist()


def columns(engine: Engine, organization_id: int, event_ids: Sequence[int], start: int, stop: int) -> Iterator[Columns]:
    """The rows of an organization's channels with start ≤ ts < stop by (ts, event id), some thousand at a time.

    The stream has a connection of its own until it is closed.
    """
    if not event_ids:
        return
    is_sqlite = engine.dialect.name == "sqlite"
    borrowed = engine.raw_connection()
    driver: Any = borrowed.driver_connection
    try:
        if is_sqlite:
            yield from _walk(SqliteSlices(driver, event_ids), len(event_ids), start, stop)
        else:
            yield from _walk(PostgresqlSlices(driver, organization_id, event_ids), len(event_ids), start, stop)
    finally:
        borrowed.close()


def _walk(slices: Slices, channels: int, start: int, stop: int) -> Iterator[Columns]:
    """Slices that adapt to the density of the data and jump over gaps."""
    width, low, limit = FIRST_WIDTH, start, 4 * AIM + channels
    while low < stop:
        end = min(stop, low + width)
        found = slices.read(low, end, limit)
        if found is None:
            width = max(1, width // 8)  # a microsecond holds one row of each channel at most
            continue
        low = end
        count = len(found.times)
        if count:
            yield found
        else:
            following = slices.following(low, stop)
            if following is None:
                return
            low = following
        if count < AIM // 2:
            width *= 4
