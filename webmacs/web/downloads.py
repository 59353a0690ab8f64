"""Files for the user: streamed at the reader's pace, so many at a time, under a name that every browser understands."""

import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from flask import Response

from webmacs.core.errors import TooMany

AT_ONCE = 8  # every one holds a connection to the database for as long as its reader takes
_places = threading.BoundedSemaphore(AT_ONCE)


class _Pieces:
    """Chunks in a place of their own. The server closes it, read to the end or not."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        if not _places.acquire(blocking=False):
            raise TooMany("Too many downloads run at the same time; try again in a moment.", retry_after=5)
        self._chunks = iter(chunks)
        self._is_open = True

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        """Stop the work and give up the place."""
        if self._is_open:
            self._is_open = False
            _places.release()
            getattr(self._chunks, "close", lambda: None)()


def download(chunks: Iterable[bytes], filename: str, mimetype: str) -> Response:
    """Stream a file; `chunks` is closed when the reader has left. Raises `TooMany`."""
    response = Response(_Pieces(chunks), mimetype=mimetype)
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
