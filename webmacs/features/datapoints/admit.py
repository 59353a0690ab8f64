"""Which values of a batch may come in, and at which moment they stand: no database, no web, one pass.

Every door uses it: the session of a page, the fast path of devices, the bulk route.
"""

import math
import threading
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from webmacs.core import clock
from webmacs.features.datapoints.store import Row

UNKNOWN = "unknown event"
NOT_FINITE = "value is not a finite number"
NOT_ENABLED = "event is not linked to an enabled plugin instance"

AHEAD = 10_000_000  # microseconds; further ahead of the clock means that the clock was set back


class Reading(NamedTuple):
    """One value on its way in; `ts` in microseconds since 1970 UTC, None for the server's clock."""

    event_public_id: str
    value: float
    ts: int | None = None


class Channel(NamedTuple):
    """What has to be known of a channel to take its values."""

    event_id: int
    is_accepting: bool


class Admitted(NamedTuple):
    """The rows to be stored, and index → reason of the others."""

    timed: list[Row]
    untimed: list[Row]
    rejected: dict[int, str]


class Moments:
    """Gives untimed values their moment: now, and for each channel later than the one before.

    Several values of one channel in a batch keep their order, and two batches at once do not ask for one moment.
    """

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self._lock = threading.Lock()

    def place(self, values: Iterable[tuple[int, float]]) -> list[Row]:
        """Rows for (event id, value) in their order."""
        now = clock.to_micros(clock.now())
        last = self._last
        rows = []
        with self._lock:
            for event_id, value in values:
                ts = last.get(event_id, 0) + 1
                if ts < now or ts > now + AHEAD:
                    ts = now
                last[event_id] = ts
                rows.append(Row(event_id, ts, value))
        return rows


moments = Moments()


def admit(batch: Iterable[Reading], channels: Mapping[str, Channel], given: Moments) -> Admitted:
    """Sort a batch into rows and refusals; a bad item never spoils the others."""
    timed: list[Row] = []
    untimed: list[tuple[int, float]] = []
    rejected: dict[int, str] = {}
    for index, (public_id, value, ts) in enumerate(batch):
        channel = channels.get(public_id)
        if channel is None:
            rejected[index] = UNKNOWN
        elif not math.isfinite(value):
            rejected[index] = NOT_FINITE
        elif not channel.is_accepting:
            rejected[index] = NOT_ENABLED
        elif ts is None:
            untimed.append((channel.event_id, float(value)))
        else:
            timed.append(Row(channel.event_id, ts, float(value)))
    return Admitted(timed, given.place(untimed), rejected)
