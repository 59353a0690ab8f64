"""A request's body, taken whole before a thread is asked for; and the refusal of one that stalls or is too long."""

import asyncio
from typing import Any

import orjson

from webmacs.live.sse import Receive, Scope, Send

SENDER_PATIENCE = 30.0  # seconds without a byte of a request that is on its way
FAREWELL, FAREWELL_BYTES = 2.0, 8 << 20  # seconds, bytes: what we still read so that a refusal reaches its reader


class ClientGoneError(Exception):
    """The client left before its request was complete."""


async def take(scope: Scope, receive: Receive, limit: int) -> tuple[bytes, int]:
    """The request's body and its length; of one above the limit only the length.

    Raises `ClientGoneError` and TimeoutError when the rest of it does not come.
    """
    declared = next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)
    if declared > limit:
        return b"", declared
    parts: list[bytes] = []
    size = 0
    while True:
        async with asyncio.timeout(SENDER_PATIENCE):
            message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            return b"", size
        if not message.get("more_body", False):
            return b"".join(parts), size


def parting(receive: Receive, send: Send) -> Send:
    """A `send` that closes the connection afterwards, yet reads on a little.

    Closing at once while the client still sends would reset the connection, and it would never read the refusal.
    """

    async def say(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        elif not message.get("more_body", False):
            await send({**message, "more_body": True})
            await _drain(receive)
            message = {"type": "http.response.body", "body": b""}
        await send(message)

    return say


async def _drain(receive: Receive) -> None:
    left = FAREWELL_BYTES
    try:
        async with asyncio.timeout(FAREWELL):
            while left > 0:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
                left -= len(message.get("body", b""))
    except TimeoutError:
        return


async def say_briefly(send: Send, status: int, sentence: str) -> None:
    """An answer that needs no application, and the end of the connection."""
    headers = [
        (b"content-type", b"application/json"),
        (b"connection", b"close"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps({"detail": sentence})})
