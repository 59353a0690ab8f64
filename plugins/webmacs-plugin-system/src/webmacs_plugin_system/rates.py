"""Rates from counters that only ever grow."""

import math


class CounterRate:
    """The mean rate between two readings of one counter, per second."""

    def __init__(self) -> None:
        self._last: tuple[float, float] | None = None

    def update(self, count: float | None, now: float) -> float | None:
        """The rate since the reading before; ``now`` in monotonic seconds.

        None for the first reading, when the counter is missing, when no time has passed, and when the counter has
        become smaller (an interface or a disk has gone, or it was reset).
        """
        before, self._last = self._last, None if count is None else (count, now)
        if before is None or count is None:
            return None
        grown, elapsed = count - before[0], now - before[1]
        return grown / elapsed if grown >= 0 and elapsed > 0 else None


class BusyShare:
    """The share of processor time, in percent, that was not idle between two readings of its time accounts."""

    def __init__(self) -> None:
        self._last: tuple[float, float] | None = None

    def update(self, busy: float, total: float) -> float | None:
        """Busy and total processor seconds since the start; None for the first reading or when no time has passed."""
        before, self._last = self._last, (busy, total)
        if before is None:
            return None
        elapsed = total - before[1]
        if not math.isfinite(elapsed) or elapsed <= 0:
            return None
        return min(max(100 * (busy - before[0]) / elapsed, 0.0), 100.0)
