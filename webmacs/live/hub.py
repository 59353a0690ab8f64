"""One subscription to Redis for the whole process, fanned out to the open streams in its event loop."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import orjson
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

RETRY_AFTER = 0.5  # seconds between attempts to subscribe
CHANNEL = "live:{organization_id}"
EVERYBODY = 0  # no organization has this number

log = logging.getLogger(__name__)


class Stream(Protocol):
    """What the hub asks of an open stream."""

    organization_id: int
    user_id: int | None

    def offer(self, values: Sequence[dict[str, Any]]) -> None:
        """Take values to be sent."""

    def ask_again(self) -> None:
        """Check whether the login still stands."""

    def catch_up(self) -> None:
        """Something may have been missed."""


class Client:
    """An open stream of a page: the newest value of each channel that it has not sent yet.

    Holding only the newest bounds the memory of a slow client by the number of channels, and it ends on a fresh one.
    """

    def __init__(self, organization_id: int, user_id: int | None) -> None:
        self.organization_id = organization_id
        self.user_id = user_id
        self.recheck = False  # whether the stream must ask if it may go on
        self.is_behind = True  # whether it may have missed something
        self._pending: dict[str, dict[str, Any]] = {}
        self._newest: dict[str, str] = {}  # channel → time
        self._ring = asyncio.Event()
        self._ring.set()

    def offer(self, values: Iterable[dict[str, Any]]) -> None:
        """Take values to be sent at the next turn; what is older than what was taken before is history, not news."""
        for value in values:
            event, moment = value["event"], value["time"].removesuffix("Z")  # so that 05 sorts before 05.5
            if moment > self._newest.get(event, ""):
                self._newest[event] = moment
                self._pending[event] = value
        if self._pending:
            self._ring.set()

    def ask_again(self) -> None:
        """Wake the stream so that it checks whether it may go on."""
        self.recheck = True
        self._ring.set()

    def catch_up(self) -> None:
        """Wake the stream so that it reads what it may have missed."""
        self.is_behind = True
        self._ring.set()

    async def wait(self, patience: float) -> None:
        """Until there is something to do, at most `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                await self._ring.wait()
        except TimeoutError:
            return
        self._ring.clear()

    def take(self) -> list[dict[str, Any]]:
        """The values since the last turn."""
        taken, self._pending = self._pending, {}
        return list(taken.values())


class Hub:
    """The process's subscription and its clients."""

    def __init__(self, url: str | None, overhear: Callable[[dict[str, Any]], None] = lambda _message: None) -> None:
        self.own_name = ""  # messages with it come from this process, and were delivered already
        self._url = url
        self._overhear = overhear  # is told every message, and {"catch_up": True} when some may have been missed
        self._clients: set[Stream] = set()
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to listen, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        if self._url is not None:
            self._task = asyncio.create_task(self._listen(self._url))

    async def stop(self) -> None:
        """Stop listening."""
        self._loop = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def post(self, organization_id: int, message: dict[str, Any]) -> None:
        """Deliver a message of this process; from any thread."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop closed meanwhile: nobody listens any more
                loop.call_soon_threadsafe(self._deliver, organization_id, message)

    def join(self, client: Stream) -> None:
        """Let a stream take part."""
        self._clients.add(client)

    def leave(self, client: Stream) -> None:
        """Forget a stream."""
        self._clients.discard(client)

    async def _listen(self, url: str) -> None:
        while True:
            try:
                # no silent reconnecting: we must know that something was missed
                async with Redis.from_url(url, retry=Retry(NoBackoff(), 0)) as redis, redis.pubsub() as pubsub:
                    await pubsub.psubscribe("live:*")
                    async for message in pubsub.listen():
                        if message["type"] == "psubscribe":
                            self._catch_up()
                        elif message["type"] == "pmessage":
                            self._hear(message["channel"], message["data"])
            except (RedisError, OSError) as error:
                log.warning("live subscription lost, trying again: %s", error)
            await asyncio.sleep(RETRY_AFTER)

    def _catch_up(self) -> None:
        self._overhear({"catch_up": True})
        for client in self._clients:
            client.catch_up()
            client.ask_again()

    def _hear(self, channel: bytes, data: bytes) -> None:
        try:
            organization_id, message = int(channel.rpartition(b":")[2]), orjson.loads(data)
        except ValueError:
            log.warning("a message on %r is not ours", channel)
            return
        if "catch_up" in message:
            self._catch_up()
        elif message.get("from") != self.own_name:
            self._deliver(organization_id, message)

    def _deliver(self, organization_id: int, message: dict[str, Any]) -> None:
        self._overhear(message)
        for client in self._clients:
            if client.organization_id != organization_id:
                continue
            if "values" in message:
                client.offer(message["values"])
            elif "recheck" in message and client.user_id == message["recheck"]:
                client.ask_again()
