"""Other sites whose pages may use the API: the listed ones, by name."""

from collections.abc import Iterable

from flask import Flask, Response, current_app, request

from webmacs.web.errors import API_PREFIXES, answer

METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
READABLE = (
    "Content-Disposition, Idempotent-Replayed, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, "
    "X-RateLimit-Reset, X-Request-ID"
)
PREFLIGHT_LASTS = "600"  # seconds that a browser need not ask again


class Origins:
    """The sites whose pages may use the API with their users' credentials. False while there are none."""

    def __init__(self, listed: Iterable[str]) -> None:
        self._listed = frozenset(listed)

    def __bool__(self) -> bool:
        return bool(self._listed)

    def __contains__(self, origin: object) -> bool:
        return origin in self._listed

    def headers(self, path: str, origin: str | None) -> dict[str, str]:
        """What an answer says to the page of `origin` that asked for `path`."""
        if not self._listed or not path.startswith(API_PREFIXES):
            return {}
        if origin not in self._listed or origin is None:
            return {"Vary": "Origin"}
        return {
            "Vary": "Origin",
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": READABLE,
        }


def origins(app: Flask) -> Origins:
    """Those that the settings list."""
    listed: Origins = app.extensions["webmacs.origins"]
    return listed


def install(app: Flask, listed: Iterable[str]) -> None:
    """Answer preflights and mark the answers. Other sites' pages read the API only: pages are for their own readers."""
    app.extensions["webmacs.origins"] = allowed = Origins(listed)
    app.before_request(_preflight)

    @app.after_request
    def mark(response: Response) -> Response:
        for name, value in allowed.headers(request.path, request.headers.get("Origin")).items():
            if name == "Vary":
                response.vary.add(value)
            else:
                response.headers[name] = value
        return response


def _preflight() -> Response | None:
    asked = request.headers.get("Access-Control-Request-Method")
    if request.method != "OPTIONS" or asked is None or "Origin" not in request.headers:
        return None
    allowed = origins(current_app)
    if request.headers["Origin"] not in allowed or not request.path.startswith(API_PREFIXES):
        return answer(400, "Pages of this origin may not use this address; CORS_ORIGINS lists those that may.")
    response = current_app.response_class(status=204)
    response.headers["Access-Control-Allow-Methods"] = METHODS
    response.headers["Access-Control-Allow-Headers"] = request.headers.get("Access-Control-Request-Headers", "*")
    response.headers["Access-Control-Max-Age"] = PREFLIGHT_LASTS
    response.vary.update(("Access-Control-Request-Method", "Access-Control-Request-Headers"))
    return response
