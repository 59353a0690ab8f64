"""The interface of the stores, and what they share."""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

BLOCK = 600_000_000  # microseconds: the stretch of time whose rollups a late point makes stale


class Row(NamedTuple):
    """One datapoint as it is stored; `ts` in microseconds since 1970 UTC."""

    event_id: int
    ts: int
    value: float


class Store(Protocol):
    """A database that keeps datapoints."""

    def write(
        self, connection: Any, timed: Sequence[Row], untimed: Sequence[Row], *, alone: bool = False
    ) -> Sequence[Row]:
        """Insert points, keep the latest values, and mark the blocks of late points stale.

        (event, ts) that is known already changes nothing; of several for one moment the first counts. The times of
        `untimed` are ours to choose: where one is taken it moves on until it is free, and the values of a channel keep
        their order. Returns those as stored, in the order given.

        `alone` tells that nothing else belongs to the transaction and that it will be committed next: a store may then
        commit as it writes.
        """

    def make_ahead(self, connection: Any) -> None:
        """Make the room that the next weeks need; on a connection with nothing open."""

    def distribute(self, connection: Any) -> list[str]:
        """Spread the tables over the machines of a cluster; returns those that were not yet.

        Raises `Conflict` when there is no cluster.
        """


key = itemgetter(0, 1)
when = itemgetter(1)


def distinct(rows: Sequence[Row]) -> list[Row]:
    """The first row of each moment, sorted: two batches that lock rows in the same order cannot deadlock."""
    found = dict(zip(map(key, reversed(rows)), reversed(rows), strict=True))
    return sorted(found.values())


def apart(untimed: Sequence[Row], timed: Iterable[Row] = ()) -> Sequence[Row]:
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
        placed.append(Row(event_id, ts, value))
    return placed


def newest(rows: Iterable[Row]) -> list[Row]:
    """The last row of each channel, in the order of the channels; takes sorted rows."""
    return list({row[0]: row for row in rows}.values())


def late_blocks(rows: Sequence[Row], open_from: int) -> list[tuple[int, int]]:
    """(event id, block) of the rows before `open_from`, each once, sorted."""
    if min(map(when, rows)) >= open_from:
        return []
    return sorted({(row[0], row[1] // BLOCK) for row in rows if row[1] < open_from})
