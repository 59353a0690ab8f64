"""Group commit: one thread writes everything that waits in one transaction, and only then is anybody answered."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from queue import Empty, SimpleQueue

from flask import Flask
from sqlalchemy import PoolProxiedConnection

from webmacs.core import outage
from webmacs.core.db import LOCKED, Wire, db
from webmacs.core.errors import Unavailable
from webmacs.core.facts import reactions
from webmacs.features.datapoints import store
from webmacs.features.datapoints.admit import Admitted
from webmacs.features.datapoints.facts import DatapointsRecorded
from webmacs.features.datapoints.store import Point

MOST_ROWS = 20_000  # of one transaction: others wait for it
SLOW = 0.005  # seconds of a commit after which the event loop is not made to wait for the disk …
REST = 10.0  # … for so many seconds
PATIENCE = 30.0  # seconds that a sender is kept waiting for the disk
MOST_WAITING = 200_000  # rows; beyond that the sender is asked to come again

log = logging.getLogger(__name__)

Outcome = Sequence[Point] | Unavailable


@dataclass(frozen=True, slots=True)
class Load:
    """What one sender wants to have written.

    `done` is called in the event loop, with the untimed rows as they were stored or with what went wrong.
    """

    organization_id: int
    names: dict[int, str]
    timed: list[Point]
    untimed: list[Point]
    done: Callable[[Outcome], None]

    @property
    def size(self) -> int:
        """Rows."""
        return len(self.timed) + len(self.untimed)


class Overloaded(Unavailable):
    """More waits than can be written soon."""

    retry_after = 1


class Writer(threading.Thread):
    """Writes loads in the order of their arrival."""

    def __init__(self, app: Flask, written: Callable[[], None] = lambda: None) -> None:
        super().__init__(name="writer", daemon=True)
        self._app = app
        self._written = written  # called in the event loop after each commit
        self._waiting: SimpleQueue[list[Load] | None] = SimpleQueue()  # None: the end
        # the event loop's own
        self._fresh: list[Load] = []  # came in this turn of the loop
        self._rows = 0  # that wait
        self._under_way = 0  # loads that are the thread's
        self._is_open = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._here: Wire | None = None
        self._anchor: PoolProxiedConnection | None = None
        self._not_here_before = 0.0  # by the loop's clock

    def open(self) -> None:
        """Begin to take loads, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._is_open = True
        with self._app.app_context():
            if db.engine.dialect.name == "sqlite":
                self._here = Wire(db.engine, patience=0.0)
                # one connection stays open whatever happens: the last to close takes the shared index of the journal
                # along, and on a full disk it cannot be made again, so that nobody could even read
                self._anchor = db.engine.raw_connection()
                self._anchor.cursor().execute("SELECT 1 FROM sqlite_master").close()
        self.start()

    def submit(self, load: Load) -> None:
        """Leave a load; in the event loop. Raises `Overloaded` when too much waits, or when the server stops."""
        if self._rows + load.size > MOST_WAITING or not self._is_open:
            raise Overloaded("More values are on their way than can be written; send them again in a moment.")
        self._rows += load.size
        self._fresh.append(load)
        if len(self._fresh) == 1:
            asyncio.get_running_loop().call_soon(self._dispatch)

    def _dispatch(self) -> None:
        """At the end of a turn of the loop: a lonely load is written here and now, several are the thread's."""
        loads, self._fresh = self._fresh, []
        if not loads:
            return
        if len(loads) == 1 and self._under_way == 0 and self._write_here(loads):
            return
        self._under_way += len(loads)
        self._waiting.put(loads)

    def _write_here(self, loads: list[Load]) -> bool:
        """Write in the event loop, which saves two changes of threads; False when that could make others wait.

        Only into SQLite, only when nobody else writes, and not again for a while after the disk was slow.
        """
        if self._here is None or self._loop is None or self._loop.time() < self._not_here_before:
            return False
        began = self._loop.time()
        with self._app.app_context():
            try:
                placed = _commit(self._here, loads)
            except Exception as error:  # noqa: BLE001 - whatever it is, who waits must hear of it
                if LOCKED in str(error):
                    return False
                outcomes: list[tuple[Load, Outcome]] = [(load, _refusal(error)) for load in loads]
            else:
                outcomes = list(zip(loads, placed, strict=True))
            if self._loop.time() - began > SLOW:
                self._not_here_before = self._loop.time() + REST
            self._under_way += len(loads)
            self._tell(outcomes)
            _announce(outcomes)
        return True

    async def write(self, organization_id: int, names: dict[int, str], admitted: Admitted) -> Sequence[Point]:
        """Have rows written; returns the untimed ones as stored, once all of them are on the disk.

        Raises `Unavailable` when they cannot be written, or when nobody can tell in time whether they were.
        """
        if not admitted.timed and not admitted.untimed:
            return []
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(result: Outcome) -> None:
            if not outcome.done():
                outcome.set_result(result)

        self.submit(Load(organization_id, names, admitted.timed, admitted.untimed, done))
        try:
            async with asyncio.timeout(PATIENCE):
                result = await outcome
        except TimeoutError:
            raise Unavailable("The values could not be written in time.") from None
        if isinstance(result, Unavailable):
            raise result
        return result

    async def close(self) -> None:
        """Take no more, write what waits, and end."""
        if self._is_open:
            self._is_open = False
            self._dispatch()
            self._waiting.put(None)
            await asyncio.to_thread(self.join)
            if self._here is not None:
                self._here.close()
            if self._anchor is not None:
                self._anchor.close()

    def run(self) -> None:
        """Write until the end has come and nothing waits."""
        with self._app.app_context():
            wire = Wire(db.engine)
            while loads := self._next():
                outcomes = self._write(wire, loads)
                if self._loop is not None:
                    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is there to be told
                        self._loop.call_soon_threadsafe(self._tell, outcomes)
                _announce(outcomes)
            wire.close()

    def _next(self) -> list[Load]:
        """Wait for a load and take what else waits, up to a bound; none when the end has come."""
        taken = self._waiting.get()
        if taken is None:
            return []
        size = sum(load.size for load in taken)
        while size < MOST_ROWS:
            try:
                more = self._waiting.get_nowait()
            except Empty:
                break
            if more is None:
                self._waiting.put(None)  # for the next turn
                break
            taken += more
            size += sum(load.size for load in more)
        return taken

    def _tell(self, outcomes: list[tuple[Load, Outcome]]) -> None:
        """In the event loop: once for all loads of a commit."""
        self._written()
        self._under_way -= len(outcomes)
        for load, outcome in outcomes:
            self._rows -= load.size
            load.done(outcome)

    def _write(self, wire: Wire, loads: list[Load]) -> list[tuple[Load, Outcome]]:
        try:
            placed = _commit(wire, loads)
        except Exception as error:  # noqa: BLE001 - whatever it is, everybody who waits must hear of it
            if len(loads) > 1 and not _is_away(error):
                # one of them cannot be written; the others are not to suffer
                return [outcome for load in loads for outcome in self._write(wire, [load])]
            refusal = _refusal(error)
            return [(load, refusal) for load in loads]
        return list(zip(loads, placed, strict=True))


def _announce(outcomes: Iterable[tuple[Load, Outcome]]) -> None:
    """Tell what was recorded, in an application's context."""
    for load, outcome in outcomes:
        if not isinstance(outcome, Unavailable):
            rows = [*load.timed, *outcome]
            reactions.after(DatapointsRecorded(load.organization_id, rows, load.names))


def _commit(wire: Wire, loads: list[Load]) -> list[Sequence[Point]]:
    """Write all loads in one transaction; returns the untimed rows of each as stored."""
    keeper = store.of(db.engine.dialect.name)
    timed = [row for load in loads for row in load.timed]
    untimed = [row for load in loads for row in load.untimed]
    with wire.transaction() as connection:
        placed: Sequence[Point] = keeper.write(connection, timed, untimed, alone=True)
    rest = iter(placed)  # in the order given
    return [list(islice(rest, len(load.untimed))) for load in loads]


def _refusal(error: Exception) -> Unavailable:
    """What the senders are told."""
    outage.report(log, "values were not recorded", error)
    if not _is_away(error):
        return Unavailable("The values could not be written; nothing was saved.")
    return Unavailable(outage.sentence(error))


def _is_away(error: BaseException) -> bool:
    """Whether the database is away, busy or full, rather than the load being wrong."""
    return isinstance(error, outage.AWAY)
