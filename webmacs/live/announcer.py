"""From recorded batches to live messages: at most one each 200 ms for a channel, and the newest value always."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from webmacs.core import clock, identity, outage
from webmacs.core.db import transaction
from webmacs.core.tenancy import enter
from webmacs.features.datapoints import queries as datapoints
from webmacs.features.datapoints.decide import Stretch, stretch_of
from webmacs.features.datapoints.facts import DatapointsRecorded
from webmacs.features.datapoints.schemas import LAST

TURN = 0.2  # seconds between two messages of one channel at the least
REST = 0.002  # seconds between two looks at what waits: waking a thread for each single value costs the recording
MOST_ROWS = 500  # of a batch are told one by one; of a larger one each channel's newest
MOST_WAITING = 1_000  # batches
RUNS_LAST = 1.0  # seconds for which the running experiments are remembered

log = logging.getLogger(__name__)

Row = tuple[int, int, float]  # event id, microseconds, value
Say = Callable[[int, dict[str, Any]], None]


class Announcer(threading.Thread):
    """Takes batches as they are recorded, says them to the streams. Recording never waits for it."""

    def __init__(self, app: Flask, say: Say) -> None:
        super().__init__(name="announcer", daemon=True)
        self._app = app
        self._say = say
        self._batches: deque[DatapointsRecorded] = deque(maxlen=MOST_WAITING)
        self._ring = threading.Event()
        self._starting = threading.Lock()
        self._told: dict[int, float] = {}  # event id → when a message had it last
        self._held: dict[int, tuple[int, str, Row]] = {}  # event id → organization, public id, newest row not yet told
        self._runs: dict[int, tuple[float, list[Stretch]]] = {}

    def offer(self, fact: DatapointsRecorded) -> None:
        """Leave a batch."""
        self._batches.append(fact)
        if not self._ring.is_set():
            with self._starting:
                if self.ident is None:
                    self.start()
            self._ring.set()

    def forget_runs(self) -> None:
        """Experiments were started or stopped: ask for them again."""
        self._runs = {}

    def run(self) -> None:
        """Announce what waits, and what was held back once its channel may speak again."""
        while True:
            self._ring.wait(TURN if self._held else None)
            try:
                self._announce()
            except Exception:  # a thread that died would leave every stream silent
                log.exception("live values were not announced")
            time.sleep(REST)  # what comes meanwhile does not ring
            if not self._batches:
                self._ring.clear()

    def _announce(self) -> None:
        now = time.monotonic()
        told: dict[int, list[tuple[str, Row]]] = {}
        while self._batches:
            self._take(self._batches.popleft(), now, told)
        for event_id, (organization_id, name, row) in list(self._held.items()):
            if now - self._told[event_id] >= TURN:
                del self._held[event_id]
                self._told[event_id] = now
                told.setdefault(organization_id, []).append((name, row))
        for organization_id, rows in told.items():
            self._say(organization_id, {"values": self._shown(organization_id, rows)})

    def _take(self, fact: DatapointsRecorded, now: float, told: dict[int, list[tuple[str, Row]]]) -> None:
        newest = _newest(fact.rows)
        speaking = {event_id for event_id in newest if now - self._told.get(event_id, -TURN) >= TURN}
        rows = fact.rows if len(fact.rows) <= MOST_ROWS else newest.values()
        if speaking:
            said = [(fact.names[row[0]], row) for row in rows if row[0] in speaking]
            told.setdefault(fact.organization_id, []).extend(said)
        for event_id, row in newest.items():
            if event_id in speaking:
                self._told[event_id] = now
                self._held.pop(event_id, None)
            elif event_id not in self._held or self._held[event_id][2][1] <= row[1]:
                self._held[event_id] = (fact.organization_id, fact.names[event_id], row)

    def _shown(self, organization_id: int, rows: Iterable[tuple[str, Row]]) -> list[dict[str, Any]]:
        runs = self._running(organization_id)
        return [
            {
                "event": name,
                "value": value,
                "time": clock.iso_z(clock.from_micros(ts)),
                "experiment": stretch_of(runs, event_id, ts) if runs else None,
            }
            for name, (event_id, ts, value) in rows
        ]

    def _running(self, organization_id: int) -> list[Stretch]:
        """The experiments that live values may belong to."""
        asked, runs = self._runs.get(organization_id, (0.0, []))
        now = time.monotonic()
        if now - asked >= RUNS_LAST:
            try:
                with self._app.app_context(), transaction(write=False):
                    enter(organization_id)
                    since = clock.to_micros(clock.now()) - 3_600_000_000
                    runs = datapoints.stretches(identity.system(organization_id), since, LAST)
            except outage.AWAY:  # the database is away: what was known is the best guess
                log.warning("the running experiments are not known: the database does not answer")
            self._runs[organization_id] = (now, runs)
        return runs


def _newest(rows: Iterable[Row]) -> dict[int, Row]:
    newest: dict[int, Row] = {}
    for row in rows:
        known = newest.get(row[0])
        if known is None or row[1] >= known[1]:
            newest[row[0]] = row
    return newest
