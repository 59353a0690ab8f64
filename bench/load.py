"""Load over kept-alive connections, by a client that costs little: it writes prepared bytes and hardly parses."""

import socket
import statistics
import threading
import time
from collections.abc import Callable

from servers import Server

Messages = Callable[[int, int], bytes]  # (connection, number) → a request


class Connection:
    """One kept-alive connection."""

    def __init__(self, server: Server) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, message: bytes) -> int:
        """Send a request and read its answer; returns the status."""
        self._socket.sendall(message)
        text = b""
        while b"\r\n\r\n" not in text:
            text += self._received()
        head, _, body = text.partition(b"\r\n\r\n")
        missing = int(head.lower().partition(b"content-length:")[2].split()[0]) - len(body)
        while missing > 0:
            missing -= len(self._received())
        return int(head[9:12])

    def _received(self) -> bytes:
        piece = self._socket.recv(262_144)
        if not piece:
            raise RuntimeError("the server closed the connection")
        return piece


def rate(server: Server, messages: Messages, connections: int, seconds: float) -> float:
    """Good answers per second over so many connections; `messages(connection, number)` makes the requests."""
    good = [0] * connections
    start = threading.Barrier(connections + 1)
    over = threading.Event()

    def work(number: int) -> None:
        connection = Connection(server)
        connection.ask(messages(number, 0))  # not counted: caches, the first statement of a connection
        start.wait()
        asked = 1
        while not over.is_set():
            good[number] += connection.ask(messages(number, asked)) < 400
            asked += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(connections)]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.monotonic()
    time.sleep(seconds)
    over.set()
    for thread in threads:
        thread.join()
    return sum(good) / (time.monotonic() - began)


def times(server: Server, message: bytes, count: int = 60) -> tuple[float, float]:
    """Median and 95th percentile of one request's time in milliseconds."""
    connection = Connection(server)
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        status = connection.ask(message)
        taken.append((time.perf_counter() - began) * 1000)
        if status >= 400:
            raise RuntimeError(f"the server answers {status}")
    return statistics.median(taken), statistics.quantiles(taken, n=20)[-1]
