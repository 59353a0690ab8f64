"""One subscription to Redis for the whole process, fanned out to the open streams in its event loop."""

import asyncio
import logging
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = logging.getLogger(__name__)


class Client:
    """An open stream: the newest value of each channel that it has not sent yet.

    Holding only the newest bounds the memory of a slow client by the number of channels, and it ends on a fresh one.
    """

    def __init__(self, organization_id: int, user_id: int | None) -> None:
        self.organization_id = organization_id
        self.user_id = user_id
        self.recheck = False
        self._pending: dict[str, dict[str, Any]] = {}
        self._ring = asyncio.Event()

    def offer(self, values: list[dict[str, Any]]) -> None:
        """Take values to be sent at the next turn."""
        for value in values:
            self._pending[value["event"]] = value
        self._ring.set()

    def ask_again(self) -> None:
        """Wake the stream so that it checks whether it may go on."""
        self.recheck = True
        self._ring.set()

    async def take(self, patience: float) -> list[dict[str, Any]]:
        """The values since the last turn; empty after `patience` seconds of silence."""
        try:
            async with asyncio.timeout(patience):
                await self._ring.wait()
        except TimeoutError:
            return []
        self._ring.clear()
        taken, self._pending = self._pending, {}
        return list(taken.values())


class Hub:
    """The process's subscription and its clients."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._clients: set[Client] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen, in the running event loop."""
        if self._url is not None:
            self._task = asyncio.create_task(self._listen(self._url))

    async def stop(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def join(self, client: Client) -> None:
        """Let a stream take part."""
        self._clients.add(client)

    def leave(self, client: Client) -> None:
        """Forget a stream."""
        self._clients.discard(client)

    async def _listen(self, url: str) -> None:
        while True:
            try:
                async with Redis.from_url(url) as redis, redis.pubsub() as pubsub:
                    await pubsub.psubscribe("live:*")
                    async for message in pubsub.listen():
                        if message["type"] == "pmessage":
                            self._deliver(message["channel"], message["data"])
            except (RedisError, OSError) as error:
                log.warning("live subscription lost, trying again: %s", error)
            await asyncio.sleep(1)

    def _deliver(self, channel: bytes, data: bytes) -> None:
        organization_id = int(channel.rpartition(b":")[2])
        message = orjson.loads(data)
        for client in self._clients:
            if client.organization_id != organization_id:
                continue
            if "values" in message:
                client.offer(message["values"])
            elif client.user_id == message.get("recheck"):
                client.ask_again()
