"""The one stream of a browser tab: GET /live/stream, server-sent events, in the event loop."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.test import EnvironBuilder

from webmacs.core import clock
from webmacs.core.db import transaction
from webmacs.core.errors import Refusal
from webmacs.core.identity import Actor
from webmacs.core.permissions import Can, allows
from webmacs.features.datapoints import queries as datapoints
from webmacs.live.hub import Client, Hub
from webmacs.web.arrival import identify

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

HEARTBEAT = 15.0  # seconds between signs of life
RECHECK = 4.0  # seconds after which a stream asks again whether its login still stands
TURN = 0.2  # seconds between two messages at the least


class Stream:
    """Answers GET /live/stream."""

    def __init__(self, app: Flask, hub: Hub) -> None:
        self._app = app
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one stream until the browser leaves or its login ends."""
        actor, values = await asyncio.to_thread(self._admit, scope)
        if actor is None:
            await _refuse(send)
            return
        client = Client(actor.organization_id, actor.user_id)
        client.offer(values)
        self._hub.join(client)
        leaving = asyncio.create_task(_until_disconnect(receive))
        serving = asyncio.create_task(self._serve(scope, client, send))
        try:
            await asyncio.wait({leaving, serving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.leave(client)
            for task in (leaving, serving):
                task.cancel()
            await asyncio.gather(leaving, serving, return_exceptions=True)

    async def _serve(self, scope: Scope, client: Client, send: Send) -> None:
        headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await _say(send, b'retry: 1000\nevent: hello\ndata: {"mode":"stream"}\n\n')
        spoke = checked = time.monotonic()
        while True:
            values = await client.take(min(HEARTBEAT, RECHECK))
            now = time.monotonic()
            if client.recheck or now - checked >= RECHECK:
                client.recheck, checked = False, now
                if not await asyncio.to_thread(self._is_admitted, scope):
                    await send({"type": "http.response.body", "body": b"event: end\ndata: {}\n\n", "more_body": False})
                    return
            if values:
                await _say(send, b"event: values\ndata: " + orjson.dumps({"values": values}) + b"\n\n")
            elif now - spoke >= HEARTBEAT:
                await _say(send, b": still here\n\n")
            else:
                continue
            spoke = now
            await asyncio.sleep(TURN)

    def _admit(self, scope: Scope) -> tuple[Actor | None, list[dict[str, Any]]]:
        with self._app.request_context(_environ(scope)), transaction(write=False):
            try:
                actor = identify()
            except Refusal:
                return None, []
            if not allows(actor, Can.READ):
                return None, []
            return actor, [
                {"event": point.event_public_id, "value": point.value, "time": clock.iso_z(point.timestamp)}
                for point in datapoints.latest(actor)
            ]

    def _is_admitted(self, scope: Scope) -> bool:
        with self._app.request_context(_environ(scope)), transaction(write=False):
            try:
                return allows(identify(), Can.READ)
            except Refusal:
                return False
            except SQLAlchemyError:
                return True  # the database is away: that says nothing about the login, ask again later


def _environ(scope: Scope) -> dict[str, Any]:
    """The request as the pages see it, so that one piece of code decides who is asking."""
    names = {b"cookie", b"authorization"}
    headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"] if k.lower() in names]
    return EnvironBuilder(path="/live/stream", headers=headers).get_environ()


async def _say(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _refuse(send: Send) -> None:
    # 204 tells an EventSource not to come back; the page's own script then asks the user to sign in again
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
