"""Datapoints in PostgreSQL: binary COPY for many rows, one trip with plain statements for few.

Statements that leave together are sent as one text with the numbers written into it: one trip and no plan to look up,
a third of what a pipeline of parameters costs. Nothing but numbers gets into it (`%d` and `%.17g` take nothing else).
PostgreSQL takes such a text for one transaction where none is open: who writes alone needs no trip to begin or commit.
"""

import select
import sys
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import Connection, Cursor
from psycopg.errors import CheckViolation, UniqueViolation
from psycopg.pq import ExecStatus

from webmacs.core import outage
from webmacs.features.datapoints.store import cluster, partitions
from webmacs.features.datapoints.store.base import BLOCK, Columns, Point, apart, distinct, key, newest, runs

ROLLUP_LOCK = 0x77656200  # advisory: writers share it, so that whoever moves `open_from` knows that none is under way
COPY_FROM = 50  # rows; below it a plain statement is faster

# Each statement of such a text has a snapshot of its own: what follows the lock sees what its last owner committed.
LOCK = f"SELECT pg_advisory_xact_lock_shared({ROLLUP_LOCK})"
INSERT = "INSERT INTO datapoints (event_id, ts, value) {} ON CONFLICT DO NOTHING"
KEEP = """INSERT INTO latest_datapoints AS l (event_id, ts, value) {}
ON CONFLICT (event_id) DO UPDATE SET ts = excluded.ts, value = excluded.value WHERE l.ts < excluded.ts"""
# takes (event, block, first moment in it)
MARK = """INSERT INTO stale_blocks AS s (event_id, block, marks)
SELECT b.event_id, b.block, 1 FROM (VALUES {}) AS b (event_id, block, ts) JOIN rollup_state AS r
ON r.id = 1 AND b.ts < r.open_from ORDER BY 1, 2
ON CONFLICT (event_id, block) DO UPDATE SET marks = s.marks + 1"""
# the end of the run of taken moments that begins at the second number
TAKEN_UNTIL = """SELECT d.ts FROM datapoints d WHERE d.event_id = {0} AND d.ts >= {1} AND NOT EXISTS
(SELECT FROM datapoints n WHERE n.event_id = {0} AND n.ts = d.ts + 1) ORDER BY d.ts LIMIT 1"""

# https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format"
COPY = "COPY datapoints (event_id, ts, value) FROM STDIN (FORMAT BINARY)"
HEAD, TAIL = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
EMPTY = bytes.fromhex("0003 00000004 00000000 00000008 0000000000000000 00000008 0000000000000000")
PLACES = (("i", 6), ("q", 14), ("d", 26))  # type and place of each field in a row; each stands after its length


class PostgresqlStore:
    """The store of many hosts."""

    def write(
        self, connection: Connection, timed: Sequence[Point], untimed: Sequence[Point], *, alone: bool = False
    ) -> Sequence[Point]:
        """See `Store.write`."""
        rows = distinct(timed) if timed else []
        wishes = apart(untimed, rows) if untimed else untimed
        everything = sorted([*rows, *wishes]) if wishes else rows
        if not everything:
            return wishes
        way = partitions.provide(connection, everything)
        write = _write if way.is_steady else _carefully
        if alone and way.is_steady and not (rows and wishes):
            if _at_once(connection.pgconn, everything, way.rows, is_new=bool(wishes)):
                return wishes
            write = _insert  # some moment is taken
        with connection.cursor() as cursor:
            placed = write(cursor, everything, way.rows, wishes)
            if placed is not wishes:  # some moved on: what became of them counts
                _finish(cursor, sorted(placed))
        return placed

    def load(self, connection: Connection, columns: Columns) -> Sequence[Point]:
        """See `Store.load`."""
        found = runs(columns)
        within = (min(columns.times), max(columns.times))
        if found is not None and partitions.holds(connection, *within):
            with connection.cursor() as cursor:
                _run(cursor, LOCK, "SAVEPOINT batch")
                try:
                    with cursor.copy(COPY.encode()) as copy:
                        copy.write(_packed(found.columns))
                except (UniqueViolation, CheckViolation):  # some are known, or retention dropped the partition just now
                    _run(cursor, "ROLLBACK TO batch", "RELEASE batch")
                else:
                    _run(cursor, "RELEASE batch", *_following(found.newest, found.blocks))
                    return found.newest
        rows = distinct(list(zip(*columns, strict=True)))
        self.write(connection, rows, ())
        return newest(rows)

    def make_ahead(self, connection: Connection) -> None:
        """See `Store.make_ahead`."""
        partitions.make_ahead(connection)

    def distribute(self, connection: Connection) -> list[str]:
        """See `Store.distribute`."""
        cluster.check(connection)
        return cluster.spread(connection)


def _at_once(libpq: Any, rows: list[Point], ordered: list[Point], *, is_new: bool) -> bool:
    """Write and commit in one trip, or two with COPY; False, and nothing is written, when a moment is taken.

    Unless the rows must be new, few of them may be known already.
    """
    is_copy = len(rows) >= COPY_FROM
    insert = COPY if is_copy else INSERT.format(_values(ordered))
    if is_new and not is_copy:
        insert = insert.removesuffix(" ON CONFLICT DO NOTHING")
    # past psycopg's cursor, which would send BEGIN, and takes no text in which COPY is not alone
    result = libpq.exec_(";".join([LOCK, insert, *_afterwards(rows)]).encode())
    if result.status == ExecStatus.COPY_IN:
        libpq.put_copy_data(_packed(zip(*ordered, strict=True)))
        libpq.put_copy_end()
        result = _last_result(libpq)
    if result.status in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
        return True
    error = outage.told_by(libpq, result)
    if isinstance(error, UniqueViolation):
        return False
    raise error


def _last_result(libpq: Any) -> Any:
    """What became of a text, read to its end: its first error, else its last result."""
    poll = select.poll()
    found = None
    is_flushed = False
    while True:
        is_flushed = is_flushed or libpq.flush() == 0
        if not is_flushed or libpq.is_busy():
            poll.register(libpq.socket, select.POLLIN if is_flushed else select.POLLIN | select.POLLOUT)
            poll.poll()  # while this waits other threads go on
            libpq.consume_input()
            continue
        result = libpq.get_result()
        if result is None:
            return found
        if found is None or found.status != ExecStatus.FATAL_ERROR:
            found = result


def _write(cursor: Cursor, rows: list[Point], ordered: list[Point], wishes: Sequence[Point]) -> Sequence[Point]:
    return (_copy if len(rows) >= COPY_FROM else _insert)(cursor, rows, ordered, wishes)


def _carefully(cursor: Cursor, rows: list[Point], ordered: list[Point], wishes: Sequence[Point]) -> Sequence[Point]:
    """Insert where retention may have dropped a partition since this process saw it."""
    _run(cursor, "SAVEPOINT careful")
    try:
        placed = _write(cursor, rows, ordered, wishes)
    except CheckViolation:  # no partition takes the row
        _run(cursor, "ROLLBACK TO careful")
        partitions.forget(cursor.connection)
        placed = _write(cursor, rows, partitions.provide(cursor.connection, rows).rows, wishes)
    _run(cursor, "RELEASE careful")
    return placed


def _insert(cursor: Cursor, rows: list[Point], ordered: list[Point], wishes: Sequence[Point]) -> Sequence[Point]:
    """Insert row by row; every other writer that has one of these moments under way is waited for."""
    insert = INSERT.format(_values(ordered))
    if wishes:
        _run(cursor, LOCK, insert + " RETURNING event_id, ts")
        cursor.nextset()
        done = set(cursor.fetchall())
        doubtful = {wish[0] for wish in wishes if key(wish) not in done}
        if doubtful:
            _finish(cursor, rows)
            return _place(cursor, wishes, doubtful, done)
        _finish(cursor, rows)
    else:
        _finish(cursor, rows, LOCK, insert)
    return wishes


def _copy(cursor: Cursor, rows: list[Point], ordered: list[Point], wishes: Sequence[Point]) -> Sequence[Point]:
    """Insert at full speed; when a moment is taken, undo it and go row by row."""
    _run(cursor, LOCK, "SAVEPOINT batch")
    try:
        with cursor.copy(COPY.encode()) as copy:
            copy.write(_packed(zip(*ordered, strict=True)))
    except UniqueViolation:
        _run(cursor, "ROLLBACK TO batch", "RELEASE batch")
        return _insert(cursor, rows, ordered, wishes)
    _finish(cursor, rows, "RELEASE batch")
    return wishes


def _finish(cursor: Cursor, rows: Sequence[Point], *before: str) -> None:
    """Keep the latest values, and mark the blocks of late points; takes sorted rows."""
    _run(cursor, *before, *_afterwards(rows))


def _afterwards(rows: Sequence[Point]) -> list[str]:
    """The statements that follow the rows, which are sorted."""
    first = {(event_id, ts // BLOCK): ts for event_id, ts, _ in reversed(rows)}
    return _following(newest(rows), [(*block, ts) for block, ts in first.items()])


def _following(latest: Sequence[Point], blocks: Iterable[tuple[int, int, int]]) -> list[str]:
    told = ",".join(["(%d,%d,%d)" % block for block in blocks])  # noqa: UP031 - see above
    return [KEEP.format(_values(latest)), MARK.format(told)]


def _packed(columns: Iterable[Sequence[float]]) -> bytes:
    """Columns as COPY takes them: byte by byte of all rows at once, which costs a third of packing row by row."""
    data = bytearray()
    for (kind, place), numbers in zip(PLACES, columns, strict=True):
        sent = array(kind, numbers)
        if sys.byteorder == "little":
            sent.byteswap()
        cells, width = sent.tobytes(), sent.itemsize
        data = data or bytearray(EMPTY * len(sent))
        for byte in range(width):
            data[place + byte :: len(EMPTY)] = cells[byte::width]
    return b"".join([HEAD, data, TAIL])


def _place(cursor: Cursor, wishes: Sequence[Point], doubtful: set[int], done: set[tuple[int, int]]) -> list[Point]:
    """Give the untimed values of channels where some moment was taken the first free ones, in their order."""
    mine = [wish for wish in wishes if wish[0] in doubtful and key(wish) in done]
    if mine:  # they would stand before those that move on
        moments = ",".join(["(%d,%d)" % key(wish) for wish in mine])  # noqa: UP031 - see above
        _run(cursor, f"DELETE FROM datapoints WHERE (event_id, ts) IN ({moments})")  # noqa: S608 - numbers only
    placed = []
    for wish in wishes:
        row = wish
        while row[0] in doubtful:
            _run(cursor, INSERT.format(_values([row])))
            if cursor.rowcount:
                break
            _run(cursor, TAKEN_UNTIL.format(*row[:2]))
            found = cursor.fetchone()
            row = (row[0], found[0] + 1, row[2]) if found else row
        placed.append(row)
    return placed


def _run(cursor: Cursor, *statements: str) -> None:
    cursor.execute(";".join(statements).encode(), prepare=False)


def _values(rows: Sequence[Point]) -> str:
    """Points as the source of an INSERT."""
    # doubles are quoted: as bare numbers they would pass through `numeric`, which knows no negative zero
    if len(rows) < COPY_FROM:
        return "VALUES " + ",".join(["(%d,%d,'%.17g')" % row for row in rows])  # noqa: UP031 - see above
    arrays = ("".join(["{", ",".join([form % cell for cell in cells]), "}"]) for form, cells in _columns(rows))
    return "SELECT * FROM unnest('{}'::int[], '{}'::bigint[], '{}'::float8[])".format(*arrays)  # noqa: S608 - numbers only


def _columns(rows: Sequence[Point]) -> Iterable[tuple[str, Sequence[float]]]:
    return zip(("%d", "%d", "%.17g"), zip(*rows, strict=True), strict=True)
