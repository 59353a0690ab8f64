"""Which values of a batch may come in, and at which moment they stand: no database, no web, one pass.

Every door uses it: the session of a page, the fast path of devices, the bulk route.
"""

import math
import threading
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from webmacs.core import clock
from webmacs.core.identity import Actor
from webmacs.core.permissions import Can, allows
from webmacs.features.datapoints.store import Point

UNKNOWN = "unknown event"
NOT_FINITE = "value is not a finite number"
NOT_ENABLED = "event is not linked to an enabled plugin instance"

AHEAD = 10_000_000  # microseconds; further ahead of the clock means that the clock was set back


class Reading(NamedTuple):
    """One value on its way in; `ts` in microseconds since 1970 UTC, None for the server's clock."""

    event_public_id: str
    value: float
    ts: int | None = None


Given = tuple[str, float, int | None]  # a Reading, or as much without its names: those cost as much as the rest


class Channel(NamedTuple):
    """What has to be known of a channel to take its values."""

    event_id: int
    is_accepting: bool
    is_output: bool = False


def taken_from(actor: Actor, channels: Mapping[str, Channel]) -> Mapping[str, Channel]:
    """The channels of an organization into which the actor may send values: a token may be limited to some.

    A value of an output is a command to the machine: a token that is not for control sends none.
    """
    if actor.events is None and actor.scopes is None:
        return channels
    may_control = allows(actor, Can.CONTROL)
    return {
        name: channel
        for name, channel in channels.items()
        if (actor.events is None or name in actor.events) and (may_control or not channel.is_output)
    }


class Admitted(NamedTuple):
    """The rows to be stored, and index → reason of the others."""

    timed: list[Point]
    untimed: list[Point]
    rejected: dict[int, str]


class Moments:
    """Gives untimed values their moment: now, and for each channel later than the one before.

    Several values of one channel in a batch keep their order, and two batches at once do not ask for one moment.
    """

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self._lock = threading.Lock()

    def place(self, event_ids: Iterable[int], values: Iterable[float]) -> list[Point]:
        """Rows for the values of channels in their order."""
        now = clock.to_micros(clock.now())
        latest = now + AHEAD
        last = self._last
        rows = []
        with self._lock:
            for event_id, value in zip(event_ids, values, strict=True):
                ts = last.get(event_id, 0) + 1
                if not now <= ts <= latest:
                    ts = now
                last[event_id] = ts
                rows.append((event_id, ts, value))
        return rows


moments = Moments()


def admit(batch: Collection[Given], channels: Mapping[str, Channel], given: Moments) -> Admitted:
    """Sort a batch into rows and refusals; a bad item never spoils the others."""
    if not batch:
        return Admitted([], [], {})
    names, values, stamps = zip(*batch, strict=True)
    found = list(map(channels.get, names))
    # the usual batch has nothing to refuse: that is seen without looking at each item
    known = [channel for channel in found if channel is not None and channel.is_accepting]
    if len(known) < len(found) or not math.isfinite(sum(values)):
        return _one_by_one(batch, found, given)
    event_ids = [channel.event_id for channel in known]
    untimed = stamps.count(None)
    if untimed == len(stamps):
        return Admitted([], given.place(event_ids, map(float, values)), {})
    if untimed == 0:
        return Admitted(list(zip(event_ids, stamps, map(float, values), strict=True)), [], {})
    return _one_by_one(batch, found, given)


def _one_by_one(batch: Iterable[Given], found: Iterable[Channel | None], given: Moments) -> Admitted:
    timed: list[Point] = []
    untimed: list[tuple[int, float]] = []
    rejected: dict[int, str] = {}
    for index, ((_, value, ts), channel) in enumerate(zip(batch, found, strict=True)):
        if channel is None:
            rejected[index] = UNKNOWN
        elif not math.isfinite(value):
            rejected[index] = NOT_FINITE
        elif not channel.is_accepting:
            rejected[index] = NOT_ENABLED
        elif ts is None:
            untimed.append((channel.event_id, float(value)))
        else:
            timed.append((channel.event_id, ts, float(value)))
    placed = given.place((event_id for event_id, _ in untimed), (value for _, value in untimed))
    return Admitted(timed, placed, rejected)
