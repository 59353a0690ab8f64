"""The interface of the stores, and what they share."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

BLOCK = 600_000_000  # microseconds: the stretch of time whose rollups a late point makes stale


class Row(NamedTuple):
    """One datapoint as it is stored; `ts` in microseconds since 1970 UTC."""

    event_id: int
    ts: int
    value: float


class Store(Protocol):
    """A database that keeps datapoints."""

    def write(self, connection: Any, timed: Sequence[Row], untimed: Sequence[Row]) -> Sequence[Row]:
        """Insert points, keep the latest values, and mark the blocks of late points stale.

        (event, ts) that is known already changes nothing; of several for one moment the first counts. The times of
        `untimed` are ours to choose: where one is taken it moves on until it is free. Returns those as stored.
        """


def distinct(rows: Iterable[Row]) -> list[Row]:
    """The first row of each moment, sorted: two batches that lock rows in the same order cannot deadlock."""
    first: dict[tuple[int, int], Row] = {}
    for row in rows:
        first.setdefault((row[0], row[1]), row)
    return sorted(first.values())


def newest(rows: Iterable[Row]) -> list[Row]:
    """The last row of each channel, in the order of the channels."""
    found: dict[int, Row] = {}
    for row in rows:
        known = found.get(row[0])
        if known is None or row[1] > known[1]:
            found[row[0]] = row
    return sorted(found.values())


def late_blocks(rows: Iterable[Row], open_from: int) -> list[tuple[int, int]]:
    """(event id, block) of the rows before `open_from`, each once."""
    return sorted({(row[0], row[1] // BLOCK) for row in rows if row[1] < open_from})
