"""One port, one process: streams and fast doors in the event loop, everything else in threads by way of WSGI."""

from webmacs.asgi.bridge import Bridge
from webmacs.asgi.protocol import Protocol
from webmacs.asgi.server import Pages, Server

__all__ = ["Bridge", "Pages", "Protocol", "Server"]
