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
from webmacs.asgi import body, protocol


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


if __name__ == "__main__":
    body.SENDER_PATIENCE = protocol.SENDER_PATIENCE = protocol.READER_PATIENCE = 1.0
    uvicorn.run(
        asgi.Pages(asgi.Bridge(application, threads=2), 1_000_000),
        port=int(sys.argv[1]),
        http=asgi.Protocol,
        lifespan="off",
        timeout_graceful_shutdown=1,
        access_log=False,
    )
