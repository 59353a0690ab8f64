"""One way to say no: a page, a fragment or JSON, by the edge that was asked."""

import logging
import sqlite3
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import psycopg
from flask import (
    Flask,
    Response,
    abort,
    current_app,
    g,
    jsonify,
    make_response,
    render_template,
    request,
    url_for,
)
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from webmacs.core import outage
from webmacs.core.errors import (
    BadRequest,
    Invalid,
    Refusal,
    SecondFactorRequired,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from webmacs.web.arrival import Edge
from webmacs.web.pages import here, htmx, to

log = logging.getLogger(__name__)

API_PREFIXES = ("/api/", "/health", "/openapi.json", "/ws/")
Detail = str | list[dict[str, Any]]
# values are written on the driver's own connection: what fails there has not gone through SQLAlchemy
DRIVERS = (sqlite3.OperationalError, psycopg.OperationalError, psycopg.InterfaceError)

PLAIN = {
    400: "The form was open for too long or came from elsewhere. Load the page again and repeat the step.",
    404: "There is nothing at this address, or it is not yours to see.",
    405: "This address does not understand that kind of request.",
    413: "What was sent is larger than the server accepts.",
    500: "Something broke on our side. Nothing was saved by this step.",
}


def asked_for_json() -> bool:
    """Whether an API was addressed: by the route's own declaration, else (no route) by the path."""
    if request.routing_exception is None and request.endpoint is not None:
        edge: Edge | None = getattr(_view(), "__edge__", None)
        if edge is not None:
            shown_as_page = edge.is_visited and request.headers.get("Sec-Fetch-Dest") == "document"
            return edge.kind == "api" and not shown_as_page
    return request.path.startswith(API_PREFIXES)


def _view() -> Any:
    return current_app.view_functions.get(request.endpoint or "")


def answer(status: int, detail: Detail, headers: dict[str, str] | None = None, **more: Any) -> Response:
    """The refusal in the form that the asker reads; `more` stands beside the detail in JSON."""
    if asked_for_json():
        body: dict[str, Any] = {"detail": detail, **more}
        if status == 500:
            body["request_id"] = g.get("request_id")
        response = make_response(jsonify(body), status)
    else:
        sentence = detail if isinstance(detail, str) else " ".join(item["msg"] for item in detail)
        response = _page(status, sentence)
    response.headers.update(headers or {})
    return response


def _page(status: int, sentence: str) -> Response:
    known = HTTPStatus(status)
    context = {"status": status, "title": known.phrase, "sentence": sentence, "request_id": g.get("request_id")}
    fragment = bool(htmx) and not htmx.boosted
    own: list[Any] = ["errors/_fragment.html"] if fragment else [f"errors/{status}.html", "errors/error.html"]
    response = make_response(render_template(own, **context), status)
    response.headers.add("Vary", "HX-Request")
    return response


def install(app: Flask, table: dict[type[Refusal], int]) -> None:
    """Register the one table of refusals and everything that Flask and the database may raise."""

    def refused(refusal: Refusal) -> Response:
        status = next(code for kind, code in table.items() if isinstance(refusal, kind))
        return _refused(refusal, status)

    app.before_request(_refuse_nul)
    app.register_error_handler(Refusal, refused)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(IntegrityError, _constraint)
    for kind in (OperationalError, InterfaceError, NoConnection, *DRIVERS):
        app.register_error_handler(kind, _database)
    app.register_error_handler(Exception, _unexpected)


def _refuse_nul() -> None:
    if "\x00" in request.path:  # names nothing, and PostgreSQL cannot even look for it
        abort(404)


def _refused(refusal: Refusal, status: int) -> Response:
    if isinstance(refusal, Unauthenticated):
        return _sign_in(refusal)
    if isinstance(refusal, BadRequest):
        return answer(status, refusal.errors)
    if isinstance(refusal, Invalid):
        fields = refusal.fields.items()
        return answer(
            status,
            [{"loc": ["body", name] if name else ["body"], "msg": msg, "type": "value_error"} for name, msg in fields],
        )
    retry = refusal.retry_after if isinstance(refusal, TooMany | Unavailable) else None
    return answer(status, str(refusal), {"Retry-After": str(retry)} if retry else None)


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        return make_response(error.get_response())
    if status == 404 and request.path.endswith("/") and _exists_without_slash():
        # relative on purpose: behind a TLS proxy an absolute address would name the wrong scheme
        query = f"?{request.query_string.decode('latin-1')}" if request.query_string else ""
        # quoted and with one slash in front: a decoded line break would end the header, two slashes begin a host
        return make_response("", 307, {"Location": "/" + quote(request.path.strip("/")) + query})
    if asked_for_json():
        detail = "The CSRF token is missing or invalid." if isinstance(error, CSRFError) else HTTPStatus(status).phrase
    else:
        detail = PLAIN.get(status, HTTPStatus(status).description or HTTPStatus(status).phrase)
    allow = ", ".join(sorted(error.valid_methods or ())) if isinstance(error, MethodNotAllowed) else ""
    return answer(status, detail, {"Allow": allow} if allow else None)


def _constraint(error: IntegrityError) -> Response:
    log.info("a database constraint refused a write", exc_info=error)
    return answer(409, "This conflicts with something that was saved at the same moment. Load it again and retry.")


def _database(error: Exception) -> Response:
    outage.report(log, "the database does not answer", error)
    return answer(503, outage.sentence(error), {"Retry-After": "5"})


def _unexpected(error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    return answer(500, "Internal Server Error" if asked_for_json() else PLAIN[500])


def _exists_without_slash() -> bool:
    adapter = current_app.create_url_adapter(request)
    return adapter is not None and adapter.test(request.path.rstrip("/"), request.method)


def _sign_in(refusal: Unauthenticated) -> Response:
    if asked_for_json():
        more = {"second_factor": refusal.ways} if isinstance(refusal, SecondFactorRequired) else {}
        return answer(401, str(refusal), {"WWW-Authenticate": "Bearer"}, **more)
    url = url_for("accounts.login", next=here() if request.method == "GET" else None)
    if htmx:
        return make_response("", 401, {"HX-Redirect": url})
    return to(url)
