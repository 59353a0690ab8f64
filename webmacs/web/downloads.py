"""Files for the user: streamed, stopped when nobody reads any more, under a name that every browser understands."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from flask import Response, request

GONE = "webmacs.gone"  # an event in the connection's scope, set when the reader has left


def download(chunks: Iterable[str], filename: str, mimetype: str) -> Response:
    """Stream text as a file."""
    scope = request.environ.get("asgi.scope", {})
    response = Response(_while_read(chunks, scope.get(GONE)), mimetype=mimetype)
    response.headers["Content-Disposition"] = disposition(filename)
    response.headers["X-Accel-Buffering"] = "no"
    return response


def disposition(filename: str) -> str:
    """`Content-Disposition` with a plain fallback and the exact name (RFC 6266, RFC 5987)."""
    name = re.sub(r"[\x00-\x1f\x7f]", "", filename)
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r'["\\;%]', "_", plain)
    exact = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'attachment; filename="{plain}"{exact}'


def _while_read(chunks: Iterable[str], gone: object) -> Iterator[bytes]:
    is_gone = getattr(gone, "is_set", lambda: False)
    for chunk in chunks:
        if is_gone():
            return
        yield chunk.encode()
