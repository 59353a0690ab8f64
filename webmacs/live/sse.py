"""The one stream of a browser tab: GET /live/stream, server-sent events, in the event loop."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
from flask import Flask
from werkzeug.test import EnvironBuilder

from webmacs.core import clock, outage
from webmacs.core.db import transaction
from webmacs.core.errors import Refusal
from webmacs.core.identity import Actor
from webmacs.core.permissions import Can, allows
from webmacs.features.datapoints import queries as datapoints
from webmacs.live.hub import Client, Hub
from webmacs.web.arrival import identify
from webmacs.web.sockets import peer_of

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

HEARTBEAT = 15.0  # seconds between signs of life at the most
RECHECK = 4.0  # seconds after which a stream asks again whether its login still stands
TURN = 0.2  # seconds between two messages at the least


class Stream:
    """Answers GET /live/stream."""

    def __init__(self, app: Flask, hub: Hub) -> None:
        self._app = app
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one stream until the browser leaves or its login ends."""
        try:
            actor = await asyncio.to_thread(self._who, scope)
        except outage.AWAY:
            await _answer(send, 503, (b"retry-after", b"5"))
            return
        if actor is None:
            # 204 tells an EventSource not to come back; the page's own script then asks the user to sign in again
            await _answer(send, 204)
            return
        client = Client(actor.organization_id, actor.user_id)
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
            await client.wait(RECHECK)
            now = time.monotonic()
            if client.recheck or client.is_behind or now - checked >= RECHECK:
                if not await self._may_go_on(scope, client):
                    await send({"type": "http.response.body", "body": b"event: end\ndata: {}\n\n", "more_body": False})
                    return
                checked = now
            values = client.take()
            if values:
                await _say(send, b"event: values\ndata: " + orjson.dumps({"values": _shown(values)}) + b"\n\n")
            elif now - spoke >= HEARTBEAT - RECHECK:  # the next turn may come too late
                await _say(send, b": still here\n\n")
            else:
                continue
            spoke = now
            await asyncio.sleep(TURN)

    async def _may_go_on(self, scope: Scope, client: Client) -> bool:
        """Whether the login still stands; also gives the client what it may have missed."""
        is_behind, client.recheck, client.is_behind = client.is_behind, False, False
        try:
            known = await asyncio.to_thread(self._look, scope, client.organization_id, is_behind)
        except outage.AWAY:  # the database is away: that says nothing about the login, ask again later
            client.is_behind = is_behind
            return True
        client.offer(known or ())
        return known is not None

    def _who(self, scope: Scope) -> Actor | None:
        """Who asks, None when it is nobody who may read."""
        with self._app.request_context(_environ(scope)), transaction(write=False):
            return _reader()

    def _look(self, scope: Scope, organization_id: int, is_behind: bool) -> list[dict[str, Any]] | None:
        """The newest values for a client that is behind (else none), None when its login has ended."""
        with self._app.request_context(_environ(scope)), transaction(write=False):
            actor = _reader()
            if actor is None or actor.organization_id != organization_id:  # it ended, or went to another organization
                return None
            if not is_behind:
                return []
            return [
                {"event": point.event_public_id, "value": point.value, "time": clock.iso_z(point.timestamp)}
                for point in datapoints.latest(actor)
            ]


def _reader() -> Actor | None:
    try:
        actor = identify()
    except Refusal:
        return None
    return actor if allows(actor, Can.READ) and actor.events is None else None


def _shown(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"event": value["event"], "value": value["value"], "time": value["time"]} for value in values]


def _environ(scope: Scope) -> dict[str, Any]:
    """The request as the pages see it, so that one piece of code decides who is asking."""
    names = {b"cookie", b"authorization"}
    headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"] if k.lower() in names]
    return EnvironBuilder(path="/live/stream", headers=headers).get_environ() | peer_of(scope)


async def _say(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _answer(send: Send, status: int, *headers: tuple[bytes, bytes]) -> None:
    found = [(b"cache-control", b"no-store"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": found})
    await send({"type": "http.response.body", "body": b""})


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
