"""What every answer carries: the request's id and the browser's orders to be strict."""

import structlog
from flask import Flask, Response, g, request

from webmacs.core.ids import new_id

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def fixed(app: Flask) -> dict[str, str]:
    """The headers that every answer has."""
    headers = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    if app.config["SESSION_COOKIE_SECURE"]:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


def install(app: Flask) -> None:
    """Give every request an id, bind it to the log, and set the headers."""

    always = fixed(app)

    @app.before_request
    def name_request() -> None:
        g.request_id = new_id("req")
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def add_headers(response: Response) -> Response:
        headers = response.headers
        headers["X-Request-ID"] = g.get("request_id", "")
        headers.setdefault("Content-Security-Policy", CONTENT_POLICY)
        headers.update(always)
        if request.endpoint != "static":
            headers.setdefault("Cache-Control", "no-store")
        return response
