"""A request's body, taken whole before a thread is asked for; and the refusal of one that stalls or is too long."""

import asyncio
import tempfile
from typing import Any, BinaryIO

import orjson

from webmacs.live.sse import Receive, Scope, Send

SENDER_PATIENCE = 30.0  # seconds without a byte of a request that is on its way
IN_MEMORY = 4 << 20  # bytes of a body; a larger one waits in a temporary file
FAREWELL, FAREWELL_BYTES = 2.0, 8 << 20  # seconds, bytes: what we still read so that a refusal reaches its reader


Body = bytes | BinaryIO


class ClientGoneError(Exception):
    """The client left before its request was complete."""


async def take(scope: Scope, receive: Receive, limit: int) -> tuple["Body", int]:
    """The request's body and its length; of one above the limit only the length.

    A large one waits in a file. Raises `ClientGoneError` and TimeoutError when the rest of it does not come.
    """
    declared = next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)
    if declared > limit:
        return b"", declared
    parts: list[bytes] = []
    size = held = 0
    spool: BinaryIO | None = None
    while True:
        async with asyncio.timeout(SENDER_PATIENCE):
            message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        held += len(parts[-1])
        if size > limit:
            return b"", size
        is_over = not message.get("more_body", False)
        if is_over and spool is None:
            return b"".join(parts), size
        if held > IN_MEMORY or is_over:
            spool = spool or tempfile.TemporaryFile()  # noqa: SIM115 - whoever reads the body closes it
            await asyncio.to_thread(spool.write, b"".join(parts))
            parts, held = [], 0
        if is_over and spool is not None:
            spool.seek(0)
            return spool, size


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
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps({"detail": sentence})})
