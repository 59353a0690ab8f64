"""Pure choices of retention: how far things may go, and what stands in between."""

from collections.abc import Iterable
from typing import NamedTuple

DAY = 86_400_000_000  # microseconds

Range = tuple[int, int]  # start ≤ ts < stop


class Keep(NamedTuple):
    """Days; None is for ever."""

    raw_days: int | None = None
    rollup_days: int | None = None


class Held(NamedTuple):
    """A stretch of time whose data must stay, of some channels (None: of all)."""

    start: int
    stop: int
    event_ids: frozenset[int] | None


def cutoffs(keep: Keep, now: int) -> tuple[int, int]:
    """Before which moments points and rollups may go; 0 is never. Rollups never go before their points."""
    raw = 0 if keep.raw_days is None else max(0, now - keep.raw_days * DAY)
    rollups = 0 if keep.rollup_days is None else max(0, now - keep.rollup_days * DAY)
    return raw, min(raw, rollups)


def free(until: int, held: Iterable[Held], event_id: int) -> list[Range]:
    """The stretches of time before `until` that nothing holds, in their order."""
    found, low = [], 0
    for start, stop, event_ids in sorted(held, key=lambda one: one.start):
        if event_ids is not None and event_id not in event_ids:
            continue
        if low < min(start, until):
            found.append((low, min(start, until)))
        low = max(low, stop)
    return [*found, (low, until)] if low < until else found
