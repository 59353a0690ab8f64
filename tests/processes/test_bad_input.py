"""Abuse of the real server, down to the socket: the documented error, nothing half-written, and it goes on serving."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.processes.rig import Running, wait_until

BATCH = "/api/v1/datapoints/batch"
LIMIT = 2_097_152  # bytes of a body


def read_answer(connection: socket.socket, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """One answer from a naked connection: status, headers in small letters, body."""
    stream = connection.makefile("rb")
    status = int(stream.readline().split()[1])
    headers = {}
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    if method == "HEAD" or status in (204, 304):
        return status, headers, b""
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(stream.readline(), 16):
            body += stream.read(size)
            stream.readline()
        stream.readline()
        return status, headers, body
    if "content-length" in headers:
        return status, headers, stream.read(int(headers["content-length"]))
    return status, headers, stream.read()


def ask(webmacs: Running, request: bytes, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are and read one answer."""
    with webmacs.raw() as connection:
        connection.sendall(request)
        return read_answer(connection, method)


def detail(answer: tuple[int, dict[str, str], bytes]) -> object:
    """The `detail` of a JSON error; fails when the answer is not one."""
    assert answer[1]["content-type"] == "application/json", answer
    return json.loads(answer[2])["detail"]


def head(method: str, path: str, *headers: str, token: str = "") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def posting(webmacs: Running, body: bytes, path: str = BATCH) -> bytes:
    length = f"Content-Length: {len(body)}"
    return head("POST", path, "Content-Type: application/json", length, token=webmacs.token()) + body


def batch(event: str, count: int = 3, first: int = 1_800_000_000) -> bytes:
    points = [{"event_public_id": event, "value": n, "timestamp": first + n} for n in range(count)]
    return json.dumps({"datapoints": points}).encode()


def count(webmacs: Running, event: str) -> int:
    return int(webmacs.call("GET", f"/api/v1/datapoints?event_public_id={event}")["total"])


@pytest.fixture(scope="session")
def channel(webmacs: Running) -> str:
    return webmacs.new_event("Abused channel")


@pytest.fixture
def untouched(webmacs: Running, channel: str) -> Iterator[str]:
    """A channel into which the test must not get anything."""
    before = count(webmacs, channel)
    yield channel
    assert count(webmacs, channel) == before


# --- bodies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b'{"datapoints": [}',
        b'{"datapoints": []} trailing',
        b"\xff\xfe\x00",
        b'{"datapoints": "\xed\xa0\x80"}',
        b'{"a":' * 5000,
        b"[" * 100_000,
        b'{"datapoints": [' + b"1" * 10_000 + b"e999]}",
        b"\x00",
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b'{"datapoints": null}',
        b'{"datapoints": {"0": 1}}',
        b'{"datapoints": [null, 7, "x", [], true]}',
    ],
)
def test_a_malformed_body_is_refused_as_json(webmacs: Running, untouched: str, body: bytes) -> None:
    answer = ask(webmacs, posting(webmacs, body), "POST")
    assert answer[0] == 422
    errors = detail(answer)
    assert isinstance(errors, list)
    assert all(error["loc"][0] == "body" and error["msg"] and error["type"] for error in errors)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "null", '"12"x', "[1]", "{}"])
def test_a_value_that_is_no_finite_number_is_never_stored(webmacs: Running, untouched: str, value: str) -> None:
    body = f'{{"event_public_id": "{untouched}", "value": {value}, "timestamp": 1800000000}}'.encode()
    answer = ask(webmacs, posting(webmacs, body, "/api/v1/datapoints"), "POST")
    assert answer[0] == 422
    assert detail(answer)


def test_a_bad_item_in_the_middle_leaves_the_batch_whole_or_absent(webmacs: Running, untouched: str) -> None:
    broken = batch(untouched, 400)[:-2] + b',{"event_public_id": 7, "value": "x"}]}'
    assert ask(webmacs, posting(webmacs, broken), "POST")[0] == 422


def test_501_items_are_refused_as_a_whole(webmacs: Running, untouched: str) -> None:
    assert ask(webmacs, posting(webmacs, batch(untouched, 501)), "POST")[0] == 422


def test_a_declared_oversized_body_is_refused_before_it_is_sent(webmacs: Running) -> None:
    request = head(
        "POST", BATCH, "Content-Type: application/json", "Content-Length: 99999999999", token=webmacs.token()
    )
    answer = ask(webmacs, request, "POST")  # not one byte of the body
    assert answer[0] == 413
    assert detail(answer) == "Request Entity Too Large"
    assert answer[1]["connection"] == "close"


def test_an_oversized_chunked_body_is_refused_while_it_comes(webmacs: Running) -> None:
    request = head("POST", BATCH, "Transfer-Encoding: chunked", token=webmacs.token())
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with webmacs.raw() as connection:
        connection.sendall(request)
        sent = 0
        try:
            while sent < 64 << 20:  # far more than is taken
                connection.sendall(chunk)
                sent += 0x10000
        except OSError:
            pass
        assert sent < 32 << 20, "the server reads on and on"


def test_an_oversized_chunked_body_is_answered(webmacs: Running, untouched: str) -> None:
    body = batch(untouched) + b" " * LIMIT
    request = head("POST", BATCH, "Transfer-Encoding: chunked", token=webmacs.token())
    answer = ask(webmacs, request + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n", "POST")
    assert answer[0] == 413
    assert detail(answer) == "Request Entity Too Large"


def test_an_oversized_form_is_a_readable_page(webmacs: Running) -> None:
    length = f"Content-Length: {LIMIT + 1}"
    request = head("POST", "/login", "Content-Type: application/x-www-form-urlencoded", length)
    status, headers, body = ask(webmacs, request, "POST")
    assert status == 413
    assert headers["content-type"].startswith("text/html")
    assert b"larger than the server accepts" in body


def test_a_body_of_just_the_allowed_size_is_read(webmacs: Running, channel: str) -> None:
    body = batch(channel, 2, 1_700_000_000)
    body += b" " * (LIMIT - len(body))
    assert ask(webmacs, posting(webmacs, body), "POST")[0] == 201


def test_a_chunked_body_is_as_good_as_a_declared_one(webmacs: Running, channel: str) -> None:
    body = batch(channel, 5, 1_600_000_000)
    before = count(webmacs, channel)
    request = head("POST", BATCH, "Content-Type: application/json", "Transfer-Encoding: chunked", token=webmacs.token())
    with webmacs.raw() as connection:
        connection.sendall(request)
        for start in range(0, len(body), 50):
            piece = body[start : start + 50]
            connection.sendall(f"{len(piece):x};extension=1\r\n".encode() + piece + b"\r\n")
        connection.sendall(b"0\r\nTrailer: value\r\n\r\n")
        assert read_answer(connection)[0] == 201
    assert count(webmacs, channel) == before + 5


@pytest.mark.parametrize("framing", ["Content-Length: 900", "Transfer-Encoding: chunked"])
def test_a_form_that_breaks_off_in_the_middle_is_not_acted_upon(webmacs: Running, framing: str) -> None:
    """A truncated form can still be read: `name=Inlet temperature` breaks off as a valid `name=Inlet`."""
    browser = webmacs.browser()
    browser.visit("/profile")
    assert browser.submit("/profile/name", username="ada").status == 303  # so a whole form would be acted upon
    form = browser.form(username="half a name")
    begun = form if framing.startswith("Content") else f"{len(form) + 100:x}\r\n".encode() + form
    content = "Content-Type: application/x-www-form-urlencoded"
    with webmacs.raw() as connection:
        connection.sendall(head("POST", "/profile/name", content, framing, f"Cookie: {browser.cookie}") + begun)
        time.sleep(0.2)
    time.sleep(0.5)  # there is nothing to wait for: the request must stay without effect
    assert webmacs.call("GET", "/api/v1/auth/me")["username"] == "ada"


def test_senders_that_are_slow_hold_no_thread(webmacs: Running) -> None:
    """More of them than there are threads, and others are still answered."""
    connections = [socket.create_connection(("127.0.0.1", webmacs.port), timeout=10) for _ in range(40)]
    try:
        for connection in connections:
            connection.sendall(
                head("POST", BATCH, "Content-Type: application/json", "Content-Length: 5000", token=webmacs.token())
            )
            connection.sendall(b'{"datapoints": [')
        for _ in range(5):
            assert webmacs.send("GET", "/api/v1/auth/me", token=webmacs.token(), timeout=5).status == 200
    finally:
        for connection in connections:
            connection.close()


def test_readers_that_are_slow_hold_no_thread(webmacs: Running, channel: str) -> None:
    """Answers too large for the socket's buffer, asked for by more readers than there are threads."""
    at = 1_500_000_000
    for part in range(4):
        assert ask(webmacs, posting(webmacs, batch(channel, 500, at + part * 500)), "POST")[0] == 201
    path = f"/api/v1/datapoints?event_public_id={channel}&page_size=500"
    request = head("GET", path, token=webmacs.token())
    connections = []
    try:
        for _ in range(24):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(10)
            connection.connect(("127.0.0.1", webmacs.port))
            connection.sendall(request * 20)  # and never reads
            connections.append(connection)
        time.sleep(1.0)
        for _ in range(5):
            assert webmacs.send("GET", "/api/v1/auth/me", token=webmacs.token(), timeout=5).status == 200
    finally:
        for connection in connections:
            connection.close()


# --- methods, paths, headers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PATCH", "PUT", "TRACE", "PROPFIND"])
def test_a_wrong_method_is_405_and_names_the_right_ones(webmacs: Running, method: str) -> None:
    answer = ask(webmacs, head(method, "/api/v1/datapoints/batch", token=webmacs.token()))
    assert answer[0] == 405
    assert detail(answer) == "Method Not Allowed"
    assert "POST" in answer[1]["allow"]


def test_an_invented_method_is_refused(webmacs: Running) -> None:
    with webmacs.raw() as connection:
        connection.sendall(b"FROBNICATE / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert read_answer(connection)[0] in (400, 405, 501)
        assert connection.recv(1) == b""


@pytest.mark.parametrize("path", ["/", "/live/stream", "/api/v1/events"])
def test_connect_is_not_served(webmacs: Running, path: str) -> None:
    with webmacs.raw() as connection:
        connection.sendall(f"CONNECT {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert read_answer(connection)[0] >= 400


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/events/%00",
        "/api/v1/events/evt_%00",
        "/api/v1/events/..%2f..%2fetc%2fpasswd",
        "/api/v1/events/%ff%fe",
        "/api/v1/events/%c0%ae",
        "/api/v1/events/%F0%9F%92%A9",
        "/api/v1/events/" + "a" * 8000,
        "/api/v1/%2e%2e/%2e%2e/health",
        "/api//v1//events",
        "/api/v1/events;a=b",
        "/api/v1/events/%",
        "/api/v1/events/%zz",
        "/api/v1/datapoints/dpt_%00_00000000000000",
        "/api/v1/experiments/%0d%0aSet-Cookie:%20a=b/export/csv",
    ],
)
def test_a_strange_path_is_not_found_as_json(webmacs: Running, path: str) -> None:
    answer = ask(webmacs, head("GET", path, token=webmacs.token()))
    assert answer[0] in (404, 308), answer
    assert "set-cookie" not in answer[1]
    if answer[0] == 404:
        assert detail(answer)


@pytest.mark.parametrize(
    "path",
    ["//api/v1/events", "///api/v1/events", "/api/v1/events/%2f", "/api/v1%2fevents", "/API/V1/EVENTS",
     "/%61pi/v1/events", "/api/./v1/events", "/api/x/../v1/events", "/api/v1/events/", "/api/v1/events?",
     "/./api/v1/events", "/api/v1/events%20", "http://elsewhere/api/v1/events"],
)  # fmt: skip
def test_no_spelling_of_a_path_passes_the_guard(webmacs: Running, path: str) -> None:
    assert ask(webmacs, head("GET", path))[0] in (401, 404, 307, 308)


@pytest.mark.parametrize(
    "path",
    ["/static/..%2f..%2fpyproject.toml", "/static/../pyproject.toml", "/static/%2e%2e/app.py",
     "/static/nothing%2f..%2f..", "/static/%00", "/static/css%00.css", "/channels/%00", "/experiments/..%2f..",
     "/%00", "/%ff"],
)  # fmt: skip
def test_a_strange_path_of_a_page_is_a_readable_404(webmacs: Running, path: str) -> None:
    status, headers, body = ask(webmacs, head("GET", path, token=webmacs.token()))
    assert status == 404
    assert headers["content-type"].startswith("text/html")
    assert b"</html>" in body


@pytest.mark.parametrize(
    "query", ["q=\xff\xfe", "q=%ff", "q=%00", "page=\x7f", "&&&=&=", "page=1&page=2", "a" * 20_000]
)
def test_a_strange_query_is_answered(webmacs: Running, query: str) -> None:
    """Bytes above 127 are not allowed there, yet old clients send them."""
    answer = ask(webmacs, head("GET", f"/api/v1/experiments?{query}", token=webmacs.token()))
    assert answer[0] in (200, 400, 422)


@pytest.mark.parametrize("path", ["/api/v1/\xe9v\xe9nements", "/\xff"])
def test_raw_bytes_in_a_path_are_refused(webmacs: Running, path: str) -> None:
    assert 400 <= ask(webmacs, head("GET", path))[0] < 500


@pytest.mark.parametrize(
    "header",
    [
        "Authorization: Bearer \xff\xfe",
        "Authorization: Bearer",
        "Authorization: Basic YWRhOnB3",
        "Authorization: Bearer wm_" + "x" * 10_000,
        "Authorization: Bearer a.b.c",
        "Authorization: Bearer " + "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c3JfMSJ9.",
        "Cookie: webmacs=\xff; webmacs=;;;=",
        "Cookie: webmacs=" + "a" * 10_000,
    ],
)
def test_a_strange_credential_is_401(webmacs: Running, header: str) -> None:
    answer = ask(webmacs, head("GET", "/api/v1/events", header))
    assert answer[0] == 401
    assert detail(answer)
    assert answer[1]["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: 2", "Content-Length: 200"],
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Content-Length: -1"],
        ["Content-Length: 0x10"],
        ["Transfer-Encoding: gzip, chunked, identity"],
        ["Bad Header: x"],
        [" Folded: x"],
    ],
)
def test_an_ambiguous_message_is_refused_and_the_connection_closed(
    webmacs: Running, untouched: str, headers: list[str]
) -> None:
    """What two servers in a row may read differently is how requests are smuggled."""
    with webmacs.raw() as connection:
        connection.sendall(head("POST", BATCH, *headers, token=webmacs.token()) + batch(untouched))
        assert read_answer(connection)[0] == 400
        assert connection.recv(1) == b""


def test_an_underscore_does_not_make_another_header(webmacs: Running) -> None:
    """`Content_Type` and `Content-Type` are the same name to WSGI: a proxy that checks one would miss the other."""
    request = head("GET", "/api/v1/auth/me", f"Authorization: Bearer {webmacs.token()}", "Authorization_: Bearer x")
    assert ask(webmacs, request.replace(b"Authorization_", b"Idempotency_Key"))[0] == 200
    smuggled = head("GET", "/api/v1/auth/me", "X_Forwarded_For: 1.2.3.4", f"AUTHORIZATION: Bearer {webmacs.token()}")
    assert ask(webmacs, smuggled)[0] == 200


def test_a_head_without_end_is_refused(webmacs: Running) -> None:
    with webmacs.raw() as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nX: " + b"x" * 70_000)
        assert read_answer(connection)[0] == 431
        assert connection.recv(1) == b""


def test_many_small_headers_are_served_or_refused(webmacs: Running) -> None:
    status, _, _ = ask(webmacs, head("GET", "/health", *(f"X-{n}: y" for n in range(500))))
    assert status == 200


def test_http_1_0_is_answered_and_closed(webmacs: Running) -> None:
    with webmacs.raw() as connection:
        connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        status, headers, body = read_answer(connection)
        assert (status, json.loads(body)["status"]) == (200, "ok")
        assert connection.recv(1) == b""
        assert headers["connection"] == "close"


def test_what_is_not_http_is_refused(webmacs: Running) -> None:
    for noise in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
        b"\r\n\r\n\r\nhello\r\n\r\n",
        b"GET\r\n\r\n",
    ):
        with webmacs.raw() as connection:
            connection.sendall(noise)
            assert connection.recv(64).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("path", ["/health", "/api/v1/events", "/login", "/static/css/tokens.css"])
def test_head_has_the_headers_of_get_and_no_body(webmacs: Running, path: str) -> None:
    with webmacs.raw() as connection:
        connection.sendall(head("GET", path, token=webmacs.token()))
        got = read_answer(connection)
        connection.sendall(head("HEAD", path, token=webmacs.token()))
        status, headers, _ = read_answer(connection, "HEAD")
        connection.sendall(head("GET", "/health"))
        assert read_answer(connection)[0] == 200, "the body of HEAD's answer spoils the connection"
    assert (status, headers["content-type"]) == (got[0], got[1]["content-type"])


def test_an_expected_continue_is_given(webmacs: Running, channel: str) -> None:
    body = batch(channel, 1, 1_400_000_000)
    fields = ("Content-Type: application/json", f"Content-Length: {len(body)}", "Expect: 100-continue")
    with webmacs.raw() as connection:
        connection.sendall(head("POST", BATCH, *fields, token=webmacs.token()))
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        assert read_answer(connection)[0] == 201


def test_an_attempt_to_upgrade_is_answered_as_usual(webmacs: Running) -> None:
    fields = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAA")
    assert ask(webmacs, head("GET", "/health", *fields))[0] in (200, 400, 403, 426)


# --- many at once -----------------------------------------------------------------------------------------------------


def test_pipelined_requests_are_answered_in_their_order(webmacs: Running, channel: str) -> None:
    paths = ["/health", f"/api/v1/events/{channel}", "/api/v1/nothing", "/api/v1/auth/me"] * 5
    with webmacs.raw() as connection:
        connection.sendall(b"".join(head("GET", path, token=webmacs.token()) for path in paths))
        stream = [read_pipelined(connection) for _ in paths]
    assert [status for status, _ in stream] == [200, 200, 404, 200] * 5
    assert all(b'"public_id"' in body for _, body in stream[1::4])


def read_pipelined(connection: socket.socket) -> tuple[int, bytes]:
    """One answer, byte by byte: what follows it belongs to the next."""
    text = b""
    while not text.endswith(b"\r\n\r\n"):
        piece = connection.recv(1)
        assert piece, text
        text += piece
    length = int(text.lower().partition(b"content-length:")[2].split()[0])
    body = b""
    while len(body) < length:
        body += connection.recv(length - len(body))
    return int(text.split()[1]), body


def test_60_requests_at_once_are_all_answered(webmacs: Running, channel: str) -> None:
    token, before = webmacs.token(), count(webmacs, channel)

    def one(number: int) -> int:
        if number % 3 == 0:
            body = json.loads(batch(channel, 10, 1_300_000_000 + number * 10))
            return webmacs.send("POST", BATCH, body, token).status
        return webmacs.send("GET", "/health" if number % 3 == 1 else "/api/v1/datapoints/latest", token=token).status

    with ThreadPoolExecutor(60) as pool:
        statuses = list(pool.map(one, range(60)))
    assert statuses == [201, 200, 200] * 20
    assert count(webmacs, channel) == before + 200


def test_clients_that_leave_at_once_leave_nothing_behind(webmacs: Running) -> None:
    web = webmacs.part("web")
    whole = head("GET", "/api/v1/datapoints?page_size=100", token=webmacs.token())

    def come_and_go() -> None:
        for _ in range(100):
            with webmacs.raw() as connection:
                connection.sendall(whole)

    wait_until(lambda: web.num_fds() < 200, "earlier connections are closed")
    before = web.num_fds()
    for number in range(200):
        with webmacs.raw() as connection:
            connection.sendall(whole[: 40 + number])
    come_and_go()
    pool = 20 * 3  # connections to the database, each with its three files, that may be open from now on
    wait_until(lambda: web.num_fds() <= before + pool + 5, "the connections are given up")
