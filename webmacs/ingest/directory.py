"""The channels of the installation in memory, so that taking a value asks no database."""

import asyncio
import logging
import threading
import time
from collections.abc import Mapping
from typing import NamedTuple

from flask import Flask

from webmacs.core import outage
from webmacs.core.db import transaction
from webmacs.core.errors import Unavailable
from webmacs.core.identity import Actor
from webmacs.features.datapoints.admit import Channel, taken_from
from webmacs.features.events import queries as events

FRESH = 4.0  # seconds; a change that we did not hear of counts within five

log = logging.getLogger(__name__)


class Channels(NamedTuple):
    """What was read: organization → public id → channel, and event id → public id."""

    of: dict[int, dict[str, Channel]]
    names: dict[int, str]
    until: float  # time.monotonic()

    def known_to(self, actor: Actor) -> Mapping[str, Channel]:
        """The channels into which the actor may send values."""
        return taken_from(actor, self.of.get(actor.organization_id, {}))


class Directory:
    """Reads the channels in a thread when somebody asks and memory is stale; until then there is no answer."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._known: Channels | None = None
        self._forgotten = 0
        self._reading: asyncio.Task[None] | None = None
        self._lock = threading.Lock()

    def fresh(self) -> Channels | None:
        """The channels; None while they are being read. Call it in the event loop."""
        known = self._known
        now = time.monotonic()
        if known is not None and now < known.until:
            if known.until - now < FRESH / 2:
                self._read()  # before anybody has to wait for it
            return known
        self._read()
        return None

    async def now(self) -> Channels:
        """The channels, however long it takes to read them. Raises `Unavailable` when they cannot be read."""
        known = self.fresh()
        if known is None and self._reading is not None:
            await self._reading
            known = self._known
        if known is None:
            raise Unavailable(outage.SILENT)
        return known

    async def anew(self) -> Channels:
        """The channels as they are in the database, read at most once a second however often somebody asks."""
        known = self._known
        if known is not None and known.until - FRESH + 1.0 < time.monotonic():
            self.forget()
        return await self.now()

    def forget(self) -> None:
        """A channel changed. From any thread."""
        with self._lock:
            self._forgotten += 1
            self._known = None

    def _read(self) -> None:
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(asyncio.to_thread(self._load))

    def _load(self) -> None:
        before, asked = self._forgotten, time.monotonic()
        try:
            with self._app.app_context(), transaction(write=False):
                rows = events.directory()
        except outage.AWAY as error:
            outage.report(log, "the channels cannot be read", error)
            return
        of: dict[int, dict[str, Channel]] = {}
        names: dict[int, str] = {}
        for public_id, (event_id, organization_id, is_accepting, is_output) in rows.items():
            of.setdefault(organization_id, {})[public_id] = Channel(event_id, is_accepting, is_output)
            names[event_id] = public_id
        with self._lock:
            if before == self._forgotten:
                self._known = Channels(of, names, asked + FRESH)
