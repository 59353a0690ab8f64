"""Declare a JSON endpoint once: schema in, schema out, permission, summary."""

import functools
from collections.abc import Callable
from typing import Any

from flask import Response, request
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json

from webmacs.api import idempotency
from webmacs.core.errors import BadRequest
from webmacs.core.identity import Actor
from webmacs.core.permissions import Access, Can, authorize
from webmacs.web.arrival import (
    LASTS_UNTIL,
    SAFE_METHODS,
    Edge,
    allow_large,
    check_channels,
    check_csrf,
    identify,
    query_values,
    within_transaction,
    without_transaction,
)

JSON = "application/json"


def endpoint(  # noqa: PLR0913 - a declaration: all but the first are named
    summary: str,
    *,
    can: Can | Access,
    body: Any = None,
    query: type[BaseModel] | None = None,
    out: Any = None,
    status: int = 200,
    errors: tuple[int, ...] = (),
    streams: str | None = None,
    replayable: bool = True,
    reads: bool = False,
    lasts_until: str | None = None,
    uploads: tuple[str, ...] = (),
    largest: str | None = None,
    by_channel: bool = False,
    calls_out: bool = False,
    is_visited: bool = False,
) -> Callable[..., Any]:
    """Declare an endpoint. The view gets `actor`, `body` and `query` (when declared) and the path's values; it returns
    what `out` can show, or a Response. `streams` names the media type of an answer that is not JSON.
    `replayable=False` keeps the answer out of the memory of `Idempotency-Key` because it holds a secret.
    `reads=True` says that a POST only asks a long question: it takes no write lock and commits nothing.
    `uploads` names the media types of a body that is not JSON, which the view reads itself; `largest` the configuration
    key of its largest size.
    `by_channel=True` says that it keeps to the channels which a token may be limited to; others refuse such a token.
    `calls_out=True` says that the view asks servers elsewhere: no transaction is open while it runs, its jobs open
    their own. `is_visited=True` says that browsers go there by themselves: to those that say so, a refusal is a page.
    `lasts_until` names the topic whose news end the answer: until then the server may give it again to the same role.

    Checks run in this order: JSON syntax 422, authentication 401, permission 403, fields 422, then the view.
    """
    shown: TypeAdapter[Any] | None = TypeAdapter(out) if out is not None else None
    taken: TypeAdapter[Any] | None = TypeAdapter(body) if body is not None else None
    edge = Edge(
        *("api", can, summary, body, query, out, status, errors, streams, uploads, by_channel, largest),
        calls_out=calls_out,
        is_visited=is_visited,
    )

    def declare(view: Callable[..., Any]) -> Callable[..., Response]:
        @functools.wraps(view)
        def arrive(**values: Any) -> Response:
            def answer() -> Response:
                allow_large(edge)
                is_json = request.method not in SAFE_METHODS and request.mimetype not in uploads
                document = _document() if is_json else None
                actor = identify(can)
                authorize(actor, can)
                check_channels(edge, actor)
                check_csrf(edge, actor)
                if query is not None:
                    values["query"] = _validate(query.model_validate, query_values(), "query")
                if taken is not None:
                    values["body"] = _validate(taken.validate_python, document, "body")
                key = request.headers.get("Idempotency-Key") if request.method == "POST" and replayable else None
                if key and not actor.is_anonymous:
                    return idempotency.once(actor, key, functools.partial(run, actor))
                return run(actor)

            def run(actor: Actor) -> Response:
                if lasts_until is not None:
                    request.environ[LASTS_UNTIL] = lasts_until
                result = view(actor=actor, **values)
                return result if isinstance(result, Response) else _show(result, shown, status)

            if calls_out:
                return without_transaction(answer, edge)
            return within_transaction(answer, edge, write=request.method not in SAFE_METHODS and not reads)

        arrive.__edge__ = edge  # type: ignore[attr-defined]  # a function carries its declaration
        return arrive

    return declare


def _show(result: Any, shown: TypeAdapter[Any] | None, status: int) -> Response:
    if shown is None:
        raise TypeError("an endpoint without `out` must return a Response")
    return Response(shown.dump_json(shown.validate_python(result, from_attributes=True)), status, mimetype=JSON)


def _document() -> Any:
    """The parsed body. NaN and Infinity are let through here so that the field that holds them can be named."""
    raw = request.get_data(cache=True)
    if not raw:
        return None
    try:
        return from_json(raw)
    except ValueError as broken:
        raise BadRequest([{"loc": ["body"], "msg": f"JSON decode error: {broken}", "type": "json_invalid"}]) from None


def _validate(validate: Callable[[Any], Any], document: Any, place: str) -> Any:
    try:
        if place == "body" and document is None:
            raise BadRequest([{"loc": ["body"], "msg": "Field required", "type": "missing"}])
        return validate(document)
    except ValidationError as refused:
        # neither the input nor its context is echoed: a refused password must not come back
        listed = refused.errors(include_url=False, include_context=False, include_input=False)
        raise BadRequest(
            [{"loc": [place, *error["loc"]], "msg": error["msg"], "type": error["type"]} for error in listed]
        ) from None
