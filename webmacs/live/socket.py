"""GET /ws/datapoints/stream: live values for API clients, as WebSocket messages."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from typing import Any

import orjson
from flask import Flask

from webmacs.core.identity import Actor
from webmacs.core.permissions import Can
from webmacs.live.hub import Hub
from webmacs.web import sockets
from webmacs.web.sockets import Receive, Scope, Send

PATH = "/ws/datapoints/stream"
MOST_WAITING = 64  # messages; a client that reads more slowly loses the oldest
READER_PATIENCE = 60.0  # seconds in which a client that does not read at all keeps its place

CONNECTED = {"type": "connected", "message": "Subscribed to live datapoint stream."}


class Listener:
    """An open WebSocket: the messages that it has not sent yet."""

    def __init__(self, organization_id: int, user_id: int | None) -> None:
        self.organization_id = organization_id
        self.user_id = user_id
        self.recheck = False
        self._frames: deque[str] = deque(maxlen=MOST_WAITING)
        self._ring = asyncio.Event()

    def offer(self, values: Sequence[dict[str, Any]]) -> None:
        """Take a message to be sent."""
        self._frames.append(_frame(values))
        self._ring.set()

    def ask_again(self) -> None:
        """Wake the connection so that it checks whether it may go on."""
        self.recheck = True
        self._ring.set()

    def catch_up(self) -> None:
        """There is no replay: the next value of a channel is its newest."""

    async def next(self, patience: float) -> list[str]:
        """The messages that wait, none after `patience` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._ring.wait()
        self._ring.clear()
        frames = list(self._frames)
        self._frames.clear()
        return frames


_last: tuple[Sequence[dict[str, Any]], str] = ((), "")


def _frame(values: Sequence[dict[str, Any]]) -> str:
    """The message as text, encoded once for all listeners."""
    global _last  # noqa: PLW0603 - a memory of one: the hub offers the same values to each listener in turn
    if _last[0] is not values:
        shown = [
            {
                "value": value["value"],
                "event_public_id": value["event"],
                "timestamp": value["time"].removesuffix("Z") + "+00:00",
                "experiment_public_id": value["experiment"],
            }
            for value in values
        ]
        _last = (values, orjson.dumps({"type": "datapoints_batch", "datapoints": shown}).decode())
    return _last[1]


class StreamSocket:
    """Answers the endpoint."""

    def __init__(self, app: Flask, hub: Hub) -> None:
        self._app = app
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection until the client leaves or its login ends."""
        actor = await sockets.opened(self._app, scope, receive, send, Can.READ)
        if actor is None:
            return
        listener = Listener(actor.organization_id, actor.user_id)
        self._hub.join(listener)
        tasks = [
            asyncio.create_task(self._serve(scope, listener, send, actor)),
            asyncio.create_task(_listen(receive, send)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.leave(listener)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, scope: Scope, listener: Listener, send: Send, actor: Actor) -> None:
        await sockets.say(send, CONNECTED)
        loop = asyncio.get_running_loop()
        checked = loop.time()
        while True:
            frames = await listener.next(sockets.RECHECK)
            if listener.recheck or loop.time() - checked >= sockets.RECHECK:
                listener.recheck, checked = False, loop.time()
                if not await sockets.may_go_on(self._app, scope, send, Can.READ, actor):
                    return
            async with asyncio.timeout(READER_PATIENCE):
                for frame in frames:
                    await send({"type": "websocket.send", "text": frame})


async def _listen(receive: Receive, send: Send) -> None:
    """Answer the client's pings until it leaves."""
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        document = sockets.heard(message)
        if document is None:
            await sockets.say(send, {"type": "error", "message": "Not a JSON object."})
        elif document.get("type") == "ping":
            await sockets.say(send, {"type": "pong"})
