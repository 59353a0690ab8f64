"""What the server gives to clients that stall, and that it takes no harm from them."""

import contextlib
import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.processes.rig import free_port, wait_until

SMALL = Path(__file__).with_name("bridged.py")


class Server:
    """The small server in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.process = subprocess.Popen([sys.executable, str(SMALL), str(self.port), str(folder)])
        wait_until(self.answers, "the small server answers")
        self.memory = psutil.Process(self.process.pid)

    def answers(self) -> bool:
        try:
            return self.get("/").startswith(b"ok")
        except OSError:
            return False

    def get(self, path: str, body: bytes | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST" if body else "GET", path, body)
        return connection.getresponse().read()

    def connect(self) -> socket.socket:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(15)
        connection.connect(("127.0.0.1", self.port))
        return connection


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("small")) as server:
        yield server


@pytest.fixture
def server(shared: Server) -> Server:
    """The one server of this file, whatever the tests before did to it."""
    (shared.folder / "endless").unlink(missing_ok=True)
    assert shared.answers()
    return shared


def rest(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    text = b""
    try:
        while piece := connection.recv(65536):
            text += piece
    except ConnectionResetError:
        pass
    return text


def test_a_flood_of_headers_is_cut_off(server: Server) -> None:
    before, sent = server.memory.memory_info().rss, 0
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        try:
            while sent < 64 << 20:
                lines = b"".join(b"X-Flood-%d: %s\r\n" % (sent + n, b"x" * 1000) for n in range(64))
                connection.sendall(lines)
                sent += len(lines)
        except OSError:
            pass
    assert sent < 16 << 20
    assert server.memory.memory_info().rss - before < 8 << 20
    assert server.answers()


def test_a_line_without_end_is_cut_off(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /" + b"a" * 70_000)
        assert rest(connection).startswith(b"HTTP/1.1 431 ")


def test_a_head_of_reasonable_size_is_read(server: Server) -> None:
    with server.connect() as connection:
        lines = b"".join(b"X-%d: %s\r\n" % (n, b"x" * 500) for n in range(100))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + lines + b"\r\n")
        assert rest(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ",
        b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf",
    ],
)
def test_a_request_that_does_not_go_on_is_given_up(server: Server, begun: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(begun)
        assert rest(connection).startswith(b"HTTP/1.1 408 ")


def test_a_sender_that_is_slow_but_steady_is_heard(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 8\r\n\r\n")
        for letter in b"steadily":
            time.sleep(0.3)  # longer in all than the server's patience with silence
            connection.sendall(bytes([letter]))
        assert rest(connection).endswith(b"ok steadily")


def test_a_quiet_connection_between_two_requests_is_kept(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.auto_open = 0
    connection.connect()
    for body in (b"one", b"two"):
        connection.request("POST", "/", body)
        assert connection.getresponse().read() == b"ok " + body
        time.sleep(1.5)  # longer than the patience with a request that has begun
    connection.close()


def test_a_reader_that_takes_nothing_is_given_up_and_its_work_stopped(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until((server.folder / "endless").exists, "the generator is closed")


def test_a_reader_that_leaves_stops_the_work(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(1000)
    wait_until((server.folder / "endless").exists, "the generator is closed")


def test_readers_that_wait_hold_no_thread_and_little_memory(server: Server) -> None:
    """Ten of them, and the server has two threads."""
    connections = [server.connect() for _ in range(10)]
    before = server.memory.memory_info().rss
    for connection in connections:
        connection.sendall(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(100)
    assert server.get("/") == b"ok "
    assert server.memory.memory_info().rss - before < 20 << 20
    for connection in connections:
        connection.close()


def test_an_answer_that_fails_in_the_middle_is_not_taken_for_whole(server: Server) -> None:
    with pytest.raises(http.client.IncompleteRead):
        server.get("/breaks")
    assert server.answers()


def test_more_requests_than_threads_are_answered_in_turn(server: Server) -> None:
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(server.get, ["/slow"] * 6)) == [b"ok "] * 6


def test_a_body_passes_as_it_is(server: Server) -> None:
    body = bytes(range(256)) * 1000
    assert server.get("/", body) == b"ok " + body


def test_a_stop_does_not_wait_for_readers(tmp_path: Path) -> None:
    with running(tmp_path) as server, server.connect() as stalled, server.connect() as stalled_later:
        for connection in (stalled, stalled_later):
            connection.sendall(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert stalled_later.recv(100)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(timeout=8)
