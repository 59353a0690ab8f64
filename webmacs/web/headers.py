"""What every answer carries: the request's id and the browser's orders to be strict."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog
from flask import Flask, Response, g, request
from flask.sessions import SecureCookieSessionInterface

from webmacs.core.ids import new_id
from webmacs.web.cors import origins
from webmacs.web.proxies import client_address

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
UNUSED = (
    "accelerometer",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
)
HSTS = "Strict-Transport-Security"
ONLY_HTTPS = "max-age=31536000"  # seconds: a year

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


def fixed(app: Flask) -> dict[str, str]:
    """The headers that every answer has."""
    headers = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": ", ".join(f"{feature}=()" for feature in (*UNUSED, "payment", "serial", "usb")),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if app.config["SESSION_COOKIE_SECURE"]:
        headers[HSTS] = ONLY_HTTPS
    return headers


class Sessions(SecureCookieSessionInterface):
    """The session's cookie, bound to this very host and to https wherever that is spoken.

    A page that came by https reads no other: a cookie that was planted by plain http names nobody there.
    """

    def get_cookie_name(self, app: Flask) -> str:
        """`__Host-…` tells the browser to take it only by https, from this host, for all of it."""
        return "__Host-webmacs" if self.get_cookie_secure(app) else "webmacs"

    def get_cookie_secure(self, app: Flask) -> bool:
        """Whether the browser speaks https, as far as we know."""
        return bool(app.config["SESSION_COOKIE_SECURE"]) or request.is_secure


def install(app: Flask) -> None:
    """Give every request an id, bind it to the log, and set the headers."""

    always = fixed(app)
    app.session_interface = Sessions()

    @app.before_request
    def name_request() -> None:
        g.request_id = new_id("req")
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id, client=client_address())

    @app.after_request
    def add_headers(response: Response) -> Response:
        headers = response.headers
        headers["X-Request-ID"] = g.get("request_id", "")
        headers.setdefault("Content-Security-Policy", CONTENT_POLICY)
        headers.update(always)
        if request.is_secure:
            headers[HSTS] = ONLY_HTTPS
        if request.endpoint != "static" or response.status_code >= 400:
            headers.setdefault("Cache-Control", "no-store")
        return response


class Completion:
    """Gives the answers that the server makes without Flask what every answer has."""

    def __init__(self, app: Flask) -> None:
        always = {**fixed(app), "Content-Security-Policy": CONTENT_POLICY}
        self._always = [(name.lower().encode(), value.encode()) for name, value in always.items()]
        self._origins = origins(app)

    def around(self, scope: Message, send: Send, *, has_usual: bool) -> Send:
        """A `send` that adds what is missing. `has_usual` says that only what depends on the request can be."""
        more = [] if has_usual else list(self._always)
        if scope["scheme"] == "https":
            more.append((HSTS.lower().encode(), ONLY_HTTPS.encode()))
        if self._origins:
            origin = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"), None)
            found = self._origins.headers(scope["path"], origin)
            more += [(name.lower().encode(), value.encode()) for name, value in found.items()]
        if not more:
            return send

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                has = {name for name, _ in message["headers"]}
                headers = [*message["headers"], *(pair for pair in more if pair[0] not in has)]
                if b"x-request-id" not in has:
                    headers.append((b"x-request-id", new_id("req").encode()))
                message = {**message, "headers": headers}
            await send(message)

        return say
