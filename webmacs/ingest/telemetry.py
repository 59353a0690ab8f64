"""GET /ws/controller/telemetry: values from a device over one WebSocket."""

import asyncio
import contextlib
import math
from typing import Any

from flask import Flask

from webmacs.core.errors import Unavailable
from webmacs.core.identity import Actor
from webmacs.core.permissions import Can
from webmacs.features.datapoints.admit import Reading, admit, moments
from webmacs.features.datapoints.schemas import MAX_BATCH, stamp
from webmacs.ingest.directory import Directory
from webmacs.ingest.writer import Writer
from webmacs.web import sockets
from webmacs.web.sockets import Receive, Scope, Send

PATH = "/ws/controller/telemetry"


class TelemetrySocket:
    """Answers the endpoint: operators and administrators push, viewers do not."""

    def __init__(self, app: Flask, directory: Directory, writer: Writer) -> None:
        self._app = app
        self._directory = directory
        self._writer = writer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection until the device leaves or its login ends."""
        actor = await sockets.opened(self._app, scope, receive, send, Can.RECORD, by_channel=True)
        if actor is None:
            return
        await sockets.say(send, {"type": "connected", "message": "Ready for telemetry."})
        loop = asyncio.get_running_loop()
        checked = loop.time()
        coming = asyncio.ensure_future(receive())
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, checked + sockets.RECHECK - loop.time())):
                        await asyncio.shield(coming)
                if loop.time() - checked >= sockets.RECHECK:
                    if not await sockets.may_go_on(self._app, scope, send, Can.RECORD, actor):
                        return
                    checked = loop.time()
                if not coming.done():
                    continue
                message = coming.result()
                if message["type"] == "websocket.disconnect":
                    return
                coming = asyncio.ensure_future(receive())
                answer = await self._take(actor, sockets.heard(message))
                if answer is not None:
                    await sockets.say(send, answer)
        finally:
            coming.cancel()

    async def _take(  # noqa: PLR0911 - each return is one answer of the protocol
        self, actor: Actor, document: dict[str, Any] | None
    ) -> dict[str, Any] | None:
        """Record what a message holds; returns what there is to say about it."""
        if document is None:
            return _error("Not a JSON object.")
        if document.get("type") == "ping":
            return {"type": "pong"}
        items = document.get("datapoints")
        if not isinstance(items, list) or not items:
            return None
        if len(items) > MAX_BATCH:
            return _error(f"Batch too large ({len(items)}), max {MAX_BATCH}")
        readings = [_reading(item) for item in items]
        if not any(readings):
            return _error("No valid datapoints in batch")
        try:
            accepted, reasons = await self._record(actor, readings)
        except Unavailable as refusal:
            return {**_error(str(refusal)), "retry_after": refusal.retry_after}
        if not document.get("ack"):  # the documented protocol has no acknowledgement: only who asks gets one
            return None
        listed = [{"index": index, "reason": reasons[index]} for index in sorted(reasons)]
        return {"type": "ack", "id": document.get("id"), "accepted": accepted, "rejected": listed}

    async def _record(self, actor: Actor, items: list[Reading | None]) -> tuple[int, dict[int, str]]:
        """How many were recorded, and index → reason of the others."""
        places = [index for index, reading in enumerate(items) if reading is not None]
        readings = [reading for reading in items if reading is not None]
        channels = await self._directory.now()
        if not channels.known_to(actor).keys() >= {reading.event_public_id for reading in readings}:
            channels = await self._directory.anew()  # it may have been defined a moment ago, elsewhere
        admitted = admit(readings, channels.known_to(actor), moments)
        placed = await self._writer.write(actor.organization_id, channels.names, admitted)
        reasons = {index: "not a datapoint" for index, reading in enumerate(items) if reading is None}
        reasons |= {places[index]: reason for index, reason in admitted.rejected.items()}
        return len(admitted.timed) + len(placed), reasons


def _reading(item: Any) -> Reading | None:
    """An item of a message, None when it is not one: those are skipped."""
    if not isinstance(item, dict) or isinstance(item.get("value"), bool):
        return None
    try:
        value, event, moment = float(item["value"]), item["event_public_id"], item.get("timestamp")
        if not isinstance(event, str) or not math.isfinite(value):
            return None
        return Reading(event, value, None if moment is None else stamp(moment))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _error(sentence: str) -> dict[str, Any]:
    return {"type": "error", "message": sentence}
