"""Tells the server how each instance is doing: on every change, and now and then as a sign of life."""

import asyncio
import time
from typing import NamedTuple
from urllib.parse import quote

import structlog

from webmacs.agent.client import Client, RefusedError, ServerError
from webmacs.agent.plant import Plant
from webmacs.agent.wire import Status, plain

log = structlog.get_logger(__name__)

TICK_SECONDS = 0.25
HEARTBEAT_SECONDS = 30.0
OUTAGE_PAUSE = 2.0
LONGEST_MESSAGE = 1000


class _Told(NamedTuple):
    status: tuple[Status, str | None]
    at: float


class Reporter:
    """Compares what the server was last told with what is."""

    def __init__(self, client: Client, plant: Plant) -> None:
        self._client = client
        self._plant = plant
        self._told: dict[str, _Told] = {}

    async def run(self) -> None:
        """Report for ever."""
        while True:
            try:
                await self.report()
                await asyncio.sleep(TICK_SECONDS)
            except ServerError as failed:
                log.debug("status could not be reported", reason=str(failed))
                await asyncio.sleep(OUTAGE_PAUSE)

    async def report(self) -> None:
        """Report every instance that changed, or was last reported `HEARTBEAT_SECONDS` ago. Raises `ServerError`."""
        instances = {instance.row.public_id: instance for instance in self._plant.instances}
        self._told = {public_id: told for public_id, told in self._told.items() if public_id in instances}
        for public_id, instance in instances.items():
            status = instance.status
            told = self._told.get(public_id)
            if told is None or told.status != status or time.monotonic() - told.at >= HEARTBEAT_SECONDS:
                await self.tell(public_id, *status)
                self._told[public_id] = _Told(status, time.monotonic())

    async def tell(self, public_id: str, status: Status, message: str | None = None) -> None:
        """Set the status of one instance. Raises `ServerError`, except when the server refuses it."""
        body = {"status": status, "error_message": plain(message, LONGEST_MESSAGE) if message else None}
        try:
            await self._client.put(f"plugins/{quote(public_id, safe='')}/status", body, attempts=1)
        except RefusedError as refused:
            log.warning("the server refused a status", instance_id=public_id, status=status, reason=str(refused))
