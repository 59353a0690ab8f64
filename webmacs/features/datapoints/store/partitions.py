"""The partitions of `datapoints` in PostgreSQL: one for each month, made ahead and when a writer meets a new one.

There is no default partition: with one, PostgreSQL cannot read the partitions in their order, and attaching or
dropping another one locks it. A moment outside the plausible years gets a whole year, so that the broken clock of a
device leaves few tables behind.
"""

import re
import threading
from bisect import bisect_right, insort
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Identifier, Literal

from webmacs.core import clock
from webmacs.features.datapoints.store.base import Point, when

MONTHS_AHEAD = 2
PLAUSIBLE_BEFORE, PLAUSIBLE_AFTER = timedelta(days=3653), timedelta(days=400)
SETTLED = timedelta(days=7)  # a partition that ended longer ago may be dropped at any time
PATIENCE = "5s"  # for a lock; then whoever waits tries again later
MAKE_LOCK = 0x77656201  # advisory: one process at a time makes partitions

LIST = """SELECT c.relname, pg_get_expr(c.relpartbound, c.oid)
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'datapoints'::regclass"""
IS_DIVIDED = "SELECT relkind = 'p' FROM pg_class WHERE oid = 'datapoints'::regclass"
MAKE = SQL("CREATE TABLE {name} (LIKE datapoints INCLUDING DEFAULTS)")
# without a policy of its own: within an organization it is reached through `datapoints` only
CLOSE = SQL("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
# unlike PARTITION OF, this lets everybody go on reading and writing the other partitions
ATTACH = SQL("ALTER TABLE datapoints ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({stop})")


class Partition(NamedTuple):
    """A table that holds the datapoints with start ≤ ts < stop."""

    name: str
    start: int
    stop: int


class Way(NamedTuple):
    """How rows go into their partitions, one partition after the other.

    Every writer keeps to this order (and within a partition to that of channel and time): none can wait for one that
    waits for it. `is_steady` tells that no partition among them can be dropped meanwhile.
    """

    rows: list[Point]
    is_steady: bool


class _Known:
    """The partitions of one database that this process has seen."""

    def __init__(self) -> None:
        self.found: list[Partition] = []
        self.last = Partition("", 0, 0)  # where the batch before went


_known: dict[tuple[bytes, bytes, bytes], _Known] = {}
_lock = threading.Lock()


def provide(connection: Connection, rows: list[Point]) -> Way:
    """Make sure that each of the sorted rows has a partition.

    What is missing is made and committed on a connection of its own: a writer that is rolled back later takes no
    partition with it that others count on.
    """
    known, moments = _of(connection), list(map(when, rows))
    low, high, last = min(moments), max(moments), known.last
    if last.start <= low and high < last.stop:
        return Way(rows, not is_settled(last))
    found = known.found
    if not all(_covering(found, ts) for ts in moments):
        found = known.found = make(connection, moments)
    known.last = last = found[_place(found, high)]
    if last.start <= low:
        return Way(rows, not is_settled(last))
    ordered = sorted(rows, key=lambda row: _place(found, row[1]))
    return Way(ordered, not is_settled(found[_place(found, low)]))


def holds(connection: Connection, low: int, high: int) -> bool:
    """Whether one partition that is there holds both moments."""
    found = _of(connection).found
    place = _place(found, low)
    return place >= 0 and high < found[place].stop


def forget(connection: Connection) -> None:
    """Look again which partitions there are."""
    known = _of(connection)
    known.found, known.last = [], Partition("", 0, 0)


def is_settled(partition: Partition) -> bool:
    """Whether retention may drop it: a writer must then reckon with its absence."""
    return partition.stop < clock.to_micros(clock.now() - SETTLED)


def make_ahead(connection: Connection) -> None:
    """Make the partitions of this month and of those that come next."""
    moment, moments = clock.now(), set()
    for _ in range(MONTHS_AHEAD + 1):
        moments.add(clock.to_micros(moment))
        moment = clock.from_micros(_month(moment).stop)
    make(connection, moments)


def make(connection: Connection, moments: Collection[int]) -> list[Partition]:
    """Make the partitions that these moments need and return all there are."""
    parameters: dict[str, Any] = connection.info.get_parameters()
    with psycopg.connect(**parameters, password=connection.info.password, autocommit=True) as own:
        if not _is_divided(own):
            return [Partition("datapoints", -(1 << 63), 1 << 63)]
        own.execute(f"SET lock_timeout = '{PATIENCE}'")
        found = listed(own)
        if all(_covering(found, ts) for ts in moments):
            return found
        with own.transaction():
            own.execute("SELECT pg_advisory_xact_lock(%s)", [MAKE_LOCK])
            found = listed(own)
            for ts in sorted(set(moments)):
                if not _covering(found, ts):
                    insort(found, _make(own, wanted(ts, clock.now(), found)), key=lambda partition: partition.start)
    return found


def listed(connection: Connection) -> list[Partition]:
    """All partitions there are, in the order of time."""
    rows = connection.execute(LIST).fetchall()
    return sorted((Partition(name, *map(int, re.findall(r"-?\d+", bound))) for name, bound in rows), key=lambda p: p[1])


def wanted(ts: int, now: datetime, taken: Sequence[Partition]) -> Partition:
    """The partition to make for a moment: a month, or a year where nobody expects values and no month stands."""
    moment = clock.from_micros(ts)
    month = _month(moment)
    if now - PLAUSIBLE_BEFORE <= moment <= now + PLAUSIBLE_AFTER:
        return month
    start, stop = (clock.to_micros(datetime(year, 1, 1, tzinfo=UTC)) for year in (moment.year, moment.year + 1))
    if any(other.start < stop and start < other.stop for other in taken):
        return month
    return Partition(f"datapoints_y{moment.year:04}", start, stop)


def _month(moment: datetime) -> Partition:
    start = datetime(moment.year, moment.month, 1, tzinfo=UTC)
    stop = datetime(moment.year + moment.month // 12, moment.month % 12 + 1, 1, tzinfo=UTC)
    return Partition(f"datapoints_y{start.year:04}m{start.month:02}", clock.to_micros(start), clock.to_micros(stop))


def _make(connection: Connection, partition: Partition) -> Partition:
    name = Identifier(partition.name)
    connection.execute(MAKE.format(name=name))
    connection.execute(CLOSE.format(name=name))
    connection.execute(
        ATTACH.format(name=name, start=Literal(partition.start), stop=Literal(partition.stop)), prepare=False
    )
    return partition


def _place(found: Sequence[Partition], ts: int) -> int:
    return bisect_right(found, ts, key=lambda partition: partition.start) - 1


def _covering(found: Sequence[Partition], ts: int) -> bool:
    index = _place(found, ts)
    return index >= 0 and ts < found[index].stop


def _is_divided(connection: Connection) -> bool:
    row = connection.execute(IS_DIVIDED).fetchone()
    return bool(row and row[0])


def _of(connection: Connection) -> _Known:
    libpq = connection.pgconn
    with _lock:
        return _known.setdefault((libpq.host, libpq.port, libpq.db), _Known())
