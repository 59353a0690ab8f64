"""The server's own way of reading and answering HTTP, around a small WSGI application and with little patience.

Run as a program; its arguments are a port and a folder.
"""

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import uvicorn

from webmacs import asgi


def endless(note: Path) -> Iterator[bytes]:
    try:
        while True:
            yield b"x" * 100_000
    finally:
        note.write_text("closed")


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/endless":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return endless(Path(sys.argv[2], "endless"))
    if path == "/slow":
        time.sleep(1.0)
    if path == "/breaks":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return (b"x" if n < 3 else bytes(1 // 0) for n in range(5))
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body) + 3))])
    return [b"ok ", body]


class Small(asgi.Server):
    """The server without its live streams."""

    def __init__(self) -> None:
        self._pages = asgi.Bridge(application, threads=2)
        self._limit = 1_000_000


if __name__ == "__main__":
    asgi.SENDER_PATIENCE = asgi.READER_PATIENCE = 1.0
    uvicorn.run(
        Small(),
        port=int(sys.argv[1]),
        http=asgi.Protocol,
        lifespan="off",
        timeout_graceful_shutdown=1,
        access_log=False,
    )
