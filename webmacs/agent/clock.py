"""The controller's time: sample stamps that never repeat, and how far the server's clock is away."""

import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

import structlog

log = structlog.get_logger(__name__)

SECOND = 1_000_000
# A clock that was set back by more than this was wrong before: following it is the truth. Holding on to the old time
# instead would stamp hours of samples with one and the same wrong moment.
HOLD = 10 * SECOND
# The Date header has whole seconds and servers refresh it lazily; a smaller difference cannot be told from noise.
TOLERANCE = 5 * SECOND
QUICK = 2 * SECOND
WITNESSES = 3


def wall_clock() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


class Clock:
    """Stamps samples in microseconds, strictly increasing per event.

    `floor` is the newest stamp of an earlier run. The one exception to the order: a wall clock that is set back by more
    than `HOLD` is followed at once.
    """

    def __init__(self, floor: int = 0, wall: Callable[[], int] = wall_clock) -> None:
        self._wall = wall
        self._floor = floor
        self._last: dict[str, int] = {}
        self._measured: list[int] = []
        self.server_offset = 0

    def now(self) -> int:
        """The controller's time in microseconds since 1970."""
        return self._wall()

    def server_now(self) -> int:
        """The server's time, as well as it is known, in microseconds since 1970."""
        return self._wall() + self.server_offset

    def stamp(self, event: str, at: int) -> int:
        """The time to store for a sample of `event` that was taken at `at`: later than every earlier one."""
        last = self._last.get(event, self._floor)
        if at <= last:
            if last - at <= HOLD:
                at = last + 1
            else:
                log.warning("clock was set back", by_seconds=round((last - at) / SECOND, 1), event_id=event)
        self._last[event] = at
        return at

    def observe(self, date: str | None, sent: int, received: int) -> None:
        """Learn the server's clock from an answer's Date header; `sent` and `received` in the controller's time.

        Only quick answers count, and a new difference only when `WITNESSES` of them in a row agree: a server that was
        stalled may send the date of the moment at which it stalled.
        """
        if not 0 <= received - sent <= QUICK:
            return
        try:
            moment = parsedate_to_datetime(date or "")
        except ValueError:
            return
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        measured = int(moment.timestamp()) * SECOND + SECOND // 2 - (sent + received) // 2
        offset = 0 if abs(measured) <= TOLERANCE else measured
        self._measured = [*self._measured, offset][-WITNESSES:]
        agree = len(self._measured) == WITNESSES and max(self._measured) - min(self._measured) <= TOLERANCE
        if agree and abs(offset - self.server_offset) > TOLERANCE:
            message = "the clock differs from the server's" if offset else "the clock agrees with the server's again"
            log.warning(message, seconds=round(measured / SECOND, 1))
            self.server_offset = offset
