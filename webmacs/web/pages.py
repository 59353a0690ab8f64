"""Pages: one decorator that declares a page, one helper that answers with it."""

import functools
from collections.abc import Callable
from typing import Any

from flask import Response, make_response, render_template, request, url_for
from flask_htmx import HTMX
from pydantic import BaseModel, ValidationError

from webmacs.core.errors import Invalid
from webmacs.core.permissions import Access, Can, authorize
from webmacs.web.arrival import (
    SAFE_METHODS,
    Edge,
    check_channels,
    check_csrf,
    identify,
    query_values,
    within_transaction,
    without_transaction,
)

htmx = HTMX()

Answer = Response | str


def screen(
    *,
    can: Can | Access,
    query: type[BaseModel] | None = None,
    summary: str = "",
    largest: str | None = None,
    calls_out: bool = False,
) -> Callable[..., Any]:
    """Declare a page: who may see it, which query string it understands, and how large its body may be when that is
    not the usual size (`largest` names the configuration key). `calls_out=True`: as for an endpoint.

    The view gets `actor`, `query` (when declared) and the path's values.
    """

    def declare(view: Callable[..., Answer]) -> Callable[..., Response]:
        line = summary or (view.__doc__ or "").strip().partition("\n")[0]
        edge = Edge("page", can, line, query=query, largest=largest, calls_out=calls_out)

        @functools.wraps(view)
        def arrive(**values: Any) -> Response:
            def answer() -> Response:
                actor = identify(can)
                authorize(actor, can)
                check_channels(edge, actor)
                check_csrf(edge, actor)
                if query is not None:
                    values["query"] = _parse_query(query)
                return make_response(view(actor=actor, **values))

            if calls_out:
                return without_transaction(answer, edge)
            return within_transaction(answer, edge, write=request.method not in SAFE_METHODS)

        arrive.__edge__ = edge  # type: ignore[attr-defined]  # a function carries its declaration
        return arrive

    return declare


def _parse_query(schema: type[BaseModel]) -> BaseModel:
    given = {name: value for name, value in query_values().items() if value != ""}  # an empty filter field is no filter
    try:
        return schema.model_validate(given)
    except ValidationError as refused:
        raise Invalid(
            {str(e["loc"][0]) if e["loc"] else "": f"{e['loc'][0]}: {e['msg']}." for e in refused.errors()}
        ) from None


def page(template: str, fragment: str | None = None, status: int = 200, **context: Any) -> Response:
    """Answer with the whole page, or with its fragment when htmx asked for a part."""
    part = fragment is not None and bool(htmx) and not htmx.boosted and not htmx.history_restore_request
    response = make_response(render_template(fragment if part and fragment else template, **context), status)
    response.headers.add("Vary", "HX-Request")
    return response


def to(url: str, status: int = 303) -> Response:
    """Send the browser to an address, which may be another site's."""
    return make_response("", status, {"Location": url})


def see(endpoint: str, **values: Any) -> Response:
    """Send the browser on after a write (303); htmx gets the same as a redirect of the whole page."""
    url = url_for(endpoint, **values)
    if htmx:
        response = make_response("", 204)
        response.headers["HX-Redirect"] = url
        return response
    return to(url)


def wants_fragment() -> bool:
    """Whether htmx asked for a part of a page."""
    return bool(htmx) and not htmx.boosted


def local_target(value: str | None) -> str:
    """A place on this site to go on to, or the overview: never another host."""
    if not value or not value.startswith("/") or value.startswith(("//", "/\\")) or any(ord(c) < 32 for c in value):
        return "/"
    return value


def here() -> str:
    """Path and query of the current page."""
    return request.full_path.rstrip("?")
