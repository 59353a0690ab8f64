"""WebSockets before their first message: who asks, from where, and for how long the answer holds."""

import asyncio
from collections.abc import Awaitable, Callable, Container, MutableMapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
from flask import Flask
from werkzeug.test import EnvironBuilder

from webmacs.core import outage
from webmacs.core.errors import Forbidden, Refusal
from webmacs.core.identity import Actor
from webmacs.core.permissions import Can, authorize
from webmacs.web.arrival import LIMITED, arriving, identify
from webmacs.web.cors import origins

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

POLICY_VIOLATION, TRY_AGAIN_LATER = 1008, 1013  # RFC 6455 and its registry of codes
RECHECK = 4.0  # seconds after which it is asked again whether a login still stands


def environ_of(scope: Scope) -> dict[str, Any]:
    """The handshake as the pages see a request, so that one piece of code decides who is asking.

    `?token=` is the documented way of clients that cannot set a header; a header is the better one.
    """
    names = {b"cookie", b"authorization", b"host"}
    headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"] if k.lower() in names]
    token = parse_qs(scope["query_string"].decode("latin-1")).get("token")
    if token and not any(name.lower() == "authorization" for name, _ in headers):
        headers.append(("Authorization", f"Bearer {token[0]}"))
    return EnvironBuilder(path=scope["path"], headers=headers).get_environ() | peer_of(scope)


def peer_of(scope: Scope) -> dict[str, str]:
    """The address of the other end, and whether it speaks https, as a WSGI environment has them."""
    secure = scope["scheme"] in ("https", "wss")  # it decides which of a browser's cookies is read
    peer = (scope.get("client") or ("",))[0]
    return {"wsgi.url_scheme": "https" if secure else "http", "REMOTE_ADDR": peer}


def comes_from_elsewhere(scope: Scope, allowed: Container[str]) -> bool:
    """Whether a page of another site, none of the `allowed`, opened the connection: browsers tell, and do not lie."""
    given = {k.lower(): v.decode("latin-1") for k, v in scope["headers"]}
    origin = given.get(b"origin")
    return origin is not None and origin not in allowed and urlsplit(origin).netloc != given.get(b"host")


async def opened(
    app: Flask, scope: Scope, receive: Receive, send: Send, permission: Can, *, by_channel: bool = False
) -> Actor | None:
    """Who asks; None when the connection was closed because it is nobody who may.

    It is accepted before that is known, so that the reason of a refusal reaches the client.
    """
    await receive()
    await send({"type": "websocket.accept"})
    if comes_from_elsewhere(scope, origins(app)):
        await refuse(send, "This page belongs to another site")
        return None
    try:
        return await asyncio.to_thread(_actor, app, scope, permission, by_channel)
    except Refusal as refusal:
        await refuse(send, str(refusal))
    except outage.AWAY:
        await send({"type": "websocket.close", "code": TRY_AGAIN_LATER, "reason": "The database does not answer"})
    return None


async def may_go_on(app: Flask, scope: Scope, send: Send, permission: Can, actor: Actor) -> bool:
    """Whether the login still stands and acts where it did; closes the connection when it does not."""
    try:
        now = await asyncio.to_thread(_actor, app, scope, permission, actor.events is not None)
        if (now.organization_id, now.events) != (actor.organization_id, actor.events):
            raise Forbidden("The login acts in another organization now.")
    except Refusal as refusal:
        await refuse(send, str(refusal))
        return False
    except outage.AWAY:  # that says nothing about the login
        return True
    return True


def _actor(app: Flask, scope: Scope, permission: Can, by_channel: bool) -> Actor:
    with app.request_context(environ_of(scope)), arriving(permission, write=False):
        actor = identify()
        authorize(actor, permission)
        if actor.events is not None and not by_channel:
            raise Forbidden(LIMITED)
        return actor


async def refuse(send: Send, reason: str) -> None:
    """Close an accepted connection, saying why in at most 123 bytes."""
    await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": reason.rstrip(".")[:120]})


async def say(send: Send, document: object) -> None:
    """Send a JSON message as text."""
    await send({"type": "websocket.send", "text": orjson.dumps(document).decode()})


def heard(message: MutableMapping[str, Any]) -> dict[str, Any] | None:
    """The JSON object that a client sent; None when it was something else."""
    try:
        document = orjson.loads(message.get("text") or message.get("bytes") or b"")
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
