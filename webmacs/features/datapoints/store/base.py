"""The interface of the stores, and what they share."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import islice
from operator import itemgetter, lt
from typing import Any, NamedTuple, Protocol

BLOCK = 600_000_000  # microseconds: the stretch of time whose rollups a late point makes stale


class Row(NamedTuple):
    """One datapoint as it is stored; `ts` in microseconds since 1970 UTC."""

    event_id: int
    ts: int
    value: float


Point = tuple[int, int, float]  # a Row, or as much without its names: making those costs more than the rest


class Columns(NamedTuple):
    """Some rows, column by column; `times` in microseconds since 1970 UTC."""

    event_ids: Sequence[int]
    times: Sequence[int]
    values: Sequence[float]


class Store(Protocol):
    """A database that keeps datapoints."""

    def write(
        self, connection: Any, timed: Sequence[Point], untimed: Sequence[Point], *, alone: bool = False
    ) -> Sequence[Point]:
        """Insert points, keep the latest values, and mark the blocks of late points stale.

        (event, ts) that is known already changes nothing; of several for one moment the first counts. The times of
        `untimed` are ours to choose: where one is taken it moves on until it is free, and the values of a channel keep
        their order. Returns those as stored, in the order given.

        `alone` tells that nothing else belongs to the transaction and that it will be committed next: a store may then
        commit as it writes.
        """

    def load(self, connection: Any, columns: Columns) -> Sequence[Point]:
        """The same for thousands of timed points at once; returns the newest of each channel."""

    def make_ahead(self, connection: Any) -> None:
        """Make the room that the next weeks need; on a connection with nothing open."""

    def distribute(self, connection: Any) -> list[str]:
        """Spread the tables over the machines of a cluster; returns those that were not yet.

        Raises `Conflict` when there is no cluster.
        """


key = itemgetter(0, 1)
when = itemgetter(1)


def distinct(rows: Sequence[Point]) -> list[Point]:
    """The first row of each moment, sorted: two batches that lock rows in the same order cannot deadlock."""
    found = dict(zip(map(key, reversed(rows)), reversed(rows), strict=True))
    return sorted(found.values())


def apart(untimed: Sequence[Point], timed: Iterable[Point] = ()) -> Sequence[Point]:
    """The untimed rows, moved on where another row of the same batch has their moment."""
    taken = set(map(key, timed))
    free = len(taken)
    taken.update(map(key, untimed))
    if len(taken) == free + len(untimed):
        return untimed
    taken = set(map(key, timed))
    last: dict[int, int] = {}
    placed = []
    for event_id, wanted, value in untimed:
        ts = max(wanted, last.get(event_id, wanted - 1) + 1)
        while (event_id, ts) in taken:
            ts += 1
        last[event_id] = ts
        placed.append((event_id, ts, value))
    return placed


def newest(rows: Iterable[Point]) -> list[Point]:
    """The last row of each channel, in the order of the channels; takes sorted rows."""
    return list({row[0]: row for row in rows}.values())


def late_blocks(rows: Sequence[Point], open_from: int) -> list[tuple[int, int]]:
    """(event id, block) of the rows before `open_from`, each once, sorted."""
    if min(map(when, rows)) >= open_from:
        return []
    return sorted({(row[0], row[1] // BLOCK) for row in rows if row[1] < open_from})


class Runs(NamedTuple):
    """Points in the order of (channel, time), no moment twice; `ends` has the place behind the last of each channel."""

    columns: Columns
    ends: list[int]

    @property
    def newest(self) -> list[Point]:
        """The last point of each channel."""
        event_ids, times, values = self.columns
        return [(event_ids[end - 1], times[end - 1], values[end - 1]) for end in self.ends]

    @property
    def blocks(self) -> list[tuple[int, int, int]]:
        """(event id, block, first moment in it)."""
        event_ids, times, _ = self.columns
        found = []
        place = 0
        for end in self.ends:
            while place < end:
                block = times[place] // BLOCK
                found.append((event_ids[place], block, times[place]))
                place = bisect_left(times, (block + 1) * BLOCK, place, end)
        return found


def runs(columns: Columns) -> Runs | None:
    """The points by channel; None when those of some channel do not come in the order of time, each moment once."""
    event_ids, times, values = columns
    order = sorted(range(len(event_ids)), key=event_ids.__getitem__)
    if len(order) > 1:
        pick = itemgetter(*order)
        event_ids, times, values = pick(event_ids), pick(times), pick(values)
    ends: list[int] = []
    while not ends or ends[-1] < len(order):
        begin = ends[-1] if ends else 0
        ends.append(bisect_right(event_ids, event_ids[begin], begin))
        if not all(map(lt, islice(times, begin, ends[-1]), islice(times, begin + 1, ends[-1]))):
            return None
    return Runs(Columns(event_ids, times, values), ends)
