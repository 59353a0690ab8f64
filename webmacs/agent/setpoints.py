"""Asks the server for set-points, hands new ones to the outputs, and makes the outputs safe when the server is gone."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from pydantic import TypeAdapter, ValidationError

from webmacs.agent.client import Client, RefusedError, ServerError, UnreachableError
from webmacs.agent.clock import SECOND
from webmacs.agent.gate import Reading, Verdict
from webmacs.agent.outputs import Context
from webmacs.agent.plant import Plant
from webmacs.agent.wire import Point

log = structlog.get_logger(__name__)

POINTS = TypeAdapter(list[Point])
SERIES = TypeAdapter(dict[str, list[Point]])
# The server's limits for one look into the past of several events.
SERIES_EVENTS = 20
SERIES_POINTS = 2000
WATCH_SECONDS = 0.2


class Setpoints:
    """One look every `interval` seconds. After `safe_after` seconds without a successful one all outputs become safe.

    A look is what counts as contact, because it is the way in which a user's command gets here: a server that accepts
    samples but cannot be asked for set-points leaves the outputs without control.
    """

    def __init__(self, client: Client, plant: Plant, context: Context, interval: float, safe_after: float) -> None:
        self._client = client
        self._plant = plant
        self._context = context
        self._interval = interval
        self._safe_after = safe_after
        self._contact = time.monotonic()
        self._lookback_refused = False

    async def run(self) -> None:
        """Look for ever."""
        while True:
            if self._context.gate.events or not self._context.link.live:
                try:
                    await self.look()
                except ServerError as failed:
                    log.debug("set-points could not be read", reason=str(failed))
            else:
                self._contact = time.monotonic()
            await asyncio.sleep(self._interval)

    async def look(self) -> None:
        """Ask once, and act on what is new. Raises `ServerError`."""
        asked = time.monotonic()
        latest = await self._ask("latest", None, POINTS)
        earlier = await self._earlier(latest)
        verdicts = self._context.gate.look(_readings((*latest, *earlier)), self._context.clock.server_now())
        self._contact = asked
        for verdict in verdicts:
            await self._act(verdict)
        if not self._context.link.live:
            self._context.link.live = True
            log.info("set-points are followed")
            for outputs in self._plant.outputs():
                outputs.live()

    async def watch(self) -> None:
        """Make the outputs safe when there was no contact for too long; a task of its own, no request delays it."""
        while True:
            silence = time.monotonic() - self._contact
            if self._context.link.live and silence > self._safe_after:
                self._context.link.live = False
                text = f"No contact with the server for {self._safe_after:g} s: outputs are set to their safe values"
                log.error(text)
                self._context.server_log.error(text)
                for outputs in self._plant.outputs():
                    outputs.to_safe()
            await asyncio.sleep(min(WATCH_SECONDS, self._safe_after / 10))

    async def _ask(self, path: str, body: Any, shape: TypeAdapter[Any]) -> Any:
        path = f"datapoints/{path}"
        answer = await (
            self._client.get(path, attempts=1) if body is None else self._client.post(path, body, attempts=1)
        )
        try:
            return shape.validate_python(answer)
        except ValidationError as failed:
            raise UnreachableError(f"the answer to {path} is not the server's") from failed

    async def _earlier(self, latest: Sequence[Point]) -> list[Point]:
        """The last minute of outputs whose newest datapoint is our own: a set-point may stand just before it."""
        gate = self._context.gate
        since = self._context.clock.server_now() - 60 * SECOND
        hidden = [
            point.event_public_id
            for point in latest
            if point.event_public_id in gate.events
            and point.timestamp > since
            and gate.is_own(point.event_public_id, point.timestamp)
        ]
        found: list[Point] = []
        for start in range(0, len(hidden), SERIES_EVENTS):
            events = hidden[start : start + SERIES_EVENTS]
            body = {"event_public_ids": events, "minutes": 1, "max_points": SERIES_POINTS}
            try:
                series: dict[str, list[Point]] = await self._ask("series", body, SERIES)
            except RefusedError as refused:
                if not self._lookback_refused:
                    log.warning("the server shows no series; a set-point may be missed", reason=str(refused))
                self._lookback_refused = True
                break
            found += [point for points in series.values() for point in points]
        return found

    async def _act(self, verdict: Verdict) -> None:
        outputs = self._plant.outputs_of(verdict.target.instance)
        if outputs is None:
            return
        channel, setpoint = verdict.target.channel, verdict.setpoint
        if not verdict.reason:
            log.info("set-point", instance=outputs.name, channel=channel, value=setpoint.value)
            outputs.command(channel, setpoint)
            return
        log.info("set-point refused", instance=outputs.name, channel=channel, reason=verdict.reason)
        if setpoint.at > self._context.gate.newest_own(setpoint.event):
            # It is what the server shows now, and it is not true.
            self._context.server_log.warning(
                f"{outputs.name}: the set-point {setpoint.value:g} of {channel} was not applied: {verdict.reason}"
            )
            await outputs.report([channel])


def _readings(points: Iterable[Point]) -> list[Reading]:
    return [Reading(point.event_public_id, point.timestamp, point.value) for point in points if point.value is not None]
