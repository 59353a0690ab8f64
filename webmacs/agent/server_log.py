"""Entries for the server's log, best effort: kept in memory for a while, posted when the server can be reached."""

import asyncio
from collections import deque
from typing import NamedTuple

import structlog

from webmacs.agent.client import Client, RefusedError, ServerError
from webmacs.agent.clock import SECOND, Clock
from webmacs.agent.wire import LogType, plain, to_iso

log = structlog.get_logger(__name__)

LIMIT = 100
LONGEST_CONTENT = 500
LATE = 10 * SECOND
LONGEST_PAUSE = 15.0


class _Entry(NamedTuple):
    at: int
    kind: LogType
    content: str


class ServerLog:
    """What a user should read on the Logs page. The newest `LIMIT` entries wait; one that comes late says its time."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._waiting: deque[_Entry] = deque(maxlen=LIMIT)
        self._wake = asyncio.Event()

    def info(self, content: str) -> None:
        """Post an entry of type info."""
        self._say("info", content)

    def warning(self, content: str) -> None:
        """Post an entry of type warning."""
        self._say("warning", content)

    def error(self, content: str) -> None:
        """Post an entry of type error."""
        self._say("error", content)

    async def run(self) -> None:
        """Post for ever what waits."""
        pause = 1.0
        while True:
            await self._wake.wait()
            try:
                await self._post_all()
                pause = 1.0
            except ServerError:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def flush(self, seconds: float) -> None:
        """Post what waits, for at most `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._post_all()
        except (TimeoutError, ServerError):
            log.warning("log entries did not reach the server", entries=[entry.content for entry in self._waiting])

    def _say(self, kind: LogType, content: str) -> None:
        self._waiting.append(_Entry(self._clock.now(), kind, content))
        self._wake.set()

    async def _post_all(self) -> None:
        while self._waiting:
            entry = self._waiting[0]
            late = self._clock.now() - entry.at > LATE
            suffix = f" (at {to_iso(entry.at)})" if late else ""
            body = {"content": plain(entry.content, LONGEST_CONTENT - len(suffix)) + suffix, "logging_type": entry.kind}
            try:
                await self._client.post("logging", body, attempts=1)
            except RefusedError as refused:
                log.warning("the server refused a log entry", content=entry.content, reason=str(refused))
            if self._waiting and self._waiting[0] is entry:
                self._waiting.popleft()
        self._wake.clear()
