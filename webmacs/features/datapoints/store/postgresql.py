"""Datapoints in PostgreSQL: binary COPY for many rows, one trip with plain statements for few.

Statements that leave together are sent as one text with the numbers written into it: one trip and no plan to look up,
a third of what a pipeline of parameters costs. Nothing but numbers gets into it (`%d` and `%.17g` take nothing else).
"""

from collections.abc import Iterable, Sequence
from struct import Struct

from psycopg import Connection, Cursor
from psycopg.errors import CheckViolation, UniqueViolation

from webmacs.features.datapoints.store import cluster, partitions
from webmacs.features.datapoints.store.base import Row, apart, distinct, key, late_blocks, newest

ROLLUP_LOCK = 0x77656200  # advisory: writers share it, so that whoever moves `open_from` knows that none is under way
COPY_FROM = 100  # rows; below it a plain statement is faster

# Each statement of such a text has a snapshot of its own: what follows the lock sees what its last owner committed.
LOCK = f"SELECT pg_advisory_xact_lock_shared({ROLLUP_LOCK})"
INSERT = "INSERT INTO datapoints (event_id, ts, value) {} ON CONFLICT DO NOTHING"
KEEP = """INSERT INTO latest_datapoints AS l (event_id, ts, value) {}
ON CONFLICT (event_id) DO UPDATE SET ts = excluded.ts, value = excluded.value WHERE l.ts < excluded.ts"""
OPEN_FROM = "SELECT open_from FROM rollup_state WHERE id = 1"
MARK = """INSERT INTO stale_blocks AS s (event_id, block, marks) VALUES {}
ON CONFLICT (event_id, block) DO UPDATE SET marks = s.marks + 1"""
# the end of the run of taken moments that begins at the second number
TAKEN_UNTIL = """SELECT d.ts FROM datapoints d WHERE d.event_id = {0} AND d.ts >= {1} AND NOT EXISTS
(SELECT FROM datapoints n WHERE n.event_id = {0} AND n.ts = d.ts + 1) ORDER BY d.ts LIMIT 1"""

# https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format"
COPY = b"COPY datapoints (event_id, ts, value) FROM STDIN (FORMAT BINARY)"
HEAD, TAIL = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
FIELDS = Struct("!hiiiqid")  # three fields, each after its length in bytes


class PostgresqlStore:
    """The store of many hosts."""

    def write(self, connection: Connection, timed: Sequence[Row], untimed: Sequence[Row]) -> Sequence[Row]:
        """See `Store.write`."""
        rows = distinct(timed) if timed else []
        wishes = apart(untimed, rows) if untimed else untimed
        everything = sorted([*rows, *wishes]) if wishes else rows
        if not everything:
            return wishes
        way = partitions.provide(connection, everything)
        write = _write if way.is_steady else _carefully
        with connection.cursor() as cursor:
            placed = write(cursor, everything, way.rows, wishes)
            if placed is not wishes:  # some moved on: what became of them counts
                _finish(cursor, sorted(placed))
        return placed

    def make_ahead(self, connection: Connection) -> None:
        """See `Store.make_ahead`."""
        partitions.make_ahead(connection)

    def distribute(self, connection: Connection) -> list[str]:
        """See `Store.distribute`."""
        cluster.check(connection)
        return cluster.spread(connection)


def _write(cursor: Cursor, rows: list[Row], ordered: list[Row], wishes: Sequence[Row]) -> Sequence[Row]:
    return (_copy if len(rows) >= COPY_FROM else _insert)(cursor, rows, ordered, wishes)


def _carefully(cursor: Cursor, rows: list[Row], ordered: list[Row], wishes: Sequence[Row]) -> Sequence[Row]:
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


def _insert(cursor: Cursor, rows: list[Row], ordered: list[Row], wishes: Sequence[Row]) -> Sequence[Row]:
    """Insert row by row; every other writer that has one of these moments under way is waited for."""
    insert = INSERT.format(_values(ordered))
    if wishes:
        _run(cursor, LOCK, insert + " RETURNING event_id, ts")
        cursor.nextset()
        done = set(cursor.fetchall())
        doubtful = {wish.event_id for wish in wishes if key(wish) not in done}
        if doubtful:
            _finish(cursor, rows)
            return _place(cursor, wishes, doubtful, done)
        _finish(cursor, rows)
    else:
        _finish(cursor, rows, LOCK, insert)
    return wishes


def _copy(cursor: Cursor, rows: list[Row], ordered: list[Row], wishes: Sequence[Row]) -> Sequence[Row]:
    """Insert at full speed; when a moment is taken, undo it and go row by row."""
    pack = FIELDS.pack
    data = b"".join([HEAD, *[pack(3, 4, event_id, 8, ts, 8, value) for event_id, ts, value in ordered], TAIL])
    _run(cursor, LOCK, "SAVEPOINT batch")
    try:
        with cursor.copy(COPY) as copy:
            copy.write(data)
    except UniqueViolation:
        _run(cursor, "ROLLBACK TO batch", "RELEASE batch")
        return _insert(cursor, rows, ordered, wishes)
    _finish(cursor, rows, "RELEASE batch")
    return wishes


def _finish(cursor: Cursor, rows: Sequence[Row], *before: str) -> None:
    """Keep the latest values, and mark the blocks of late points; takes sorted rows."""
    _run(cursor, *before, KEEP.format(_values(newest(rows))), OPEN_FROM)
    for _ in range(len(before) + 1):
        cursor.nextset()
    found = cursor.fetchone()
    late = late_blocks(rows, found[0]) if found else []
    if late:
        _run(cursor, MARK.format(",".join(["(%d,%d,1)" % block for block in late])))  # noqa: UP031 - see above


def _place(cursor: Cursor, wishes: Sequence[Row], doubtful: set[int], done: set[tuple[int, int]]) -> list[Row]:
    """Give the untimed values of channels where some moment was taken the first free ones, in their order."""
    mine = [wish for wish in wishes if wish.event_id in doubtful and key(wish) in done]
    if mine:  # they would stand before those that move on
        moments = ",".join(["(%d,%d)" % key(wish) for wish in mine])  # noqa: UP031 - see above
        _run(cursor, f"DELETE FROM datapoints WHERE (event_id, ts) IN ({moments})")  # noqa: S608 - numbers only
    placed = []
    for wish in wishes:
        row = wish
        while row.event_id in doubtful:
            _run(cursor, INSERT.format(_values([row])))
            if cursor.rowcount:
                break
            _run(cursor, TAKEN_UNTIL.format(*row[:2]))
            found = cursor.fetchone()
            row = row._replace(ts=found[0] + 1) if found else row
        placed.append(row)
    return placed


def _run(cursor: Cursor, *statements: str) -> None:
    cursor.execute(";".join(statements).encode(), prepare=False)


def _values(rows: Sequence[Row]) -> str:
    """Rows as the source of an INSERT."""
    # doubles are quoted: as bare numbers they would pass through `numeric`, which knows no negative zero
    if len(rows) < COPY_FROM:
        return "VALUES " + ",".join(["(%d,%d,'%.17g')" % row for row in rows])  # noqa: UP031 - see above
    arrays = ("".join(["{", ",".join([form % cell for cell in cells]), "}"]) for form, cells in _columns(rows))
    return "SELECT * FROM unnest('{}'::int[], '{}'::bigint[], '{}'::float8[])".format(*arrays)  # noqa: S608 - numbers only


def _columns(rows: Sequence[Row]) -> Iterable[tuple[str, Sequence[float]]]:
    return zip(("%d", "%d", "%.17g"), zip(*rows, strict=True), strict=True)
