"""Limits, proxies and strict headers of a real server: what goes past Flask keeps to them as well."""

import json

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.contracts.test_headers import EXACT
from tests.processes.rig import MAIL, PASSWORD, Running
from tests.processes.test_bad_input import ask, head

LOGIN = "/api/v1/auth/login"
FRIEND = "https://app.lab.example"


def statuses(running, count, path="/api/v1/nowhere", token=None, **headers):
    """The statuses of some requests, each with another invented origin."""
    found = []
    for number in range(count):
        invented = {
            "X-Forwarded-For": f"198.51.100.{number}",
            "X-Real-IP": "127.0.0.1",
            "Forwarded": f"for=10.0.0.{number}",
        }
        found.append(running.send("GET", path, token=token, headers=invented | headers).status)
    return found


def lacking(headers):
    """What a strict answer would say and this one does not."""
    found = [name for name, value in EXACT.items() if headers.get(name.lower()) != value]
    found += [] if "frame-ancestors 'none'" in headers.get("content-security-policy", "") else ["policy"]
    return found + ([] if "x-request-id" in headers else ["x-request-id"])


def test_invented_forwarding_headers_move_no_limit(fresh):
    running: Running = fresh(RATE_LIMIT_PER_MINUTE="10")
    token = running.token()  # one anonymous request
    assert statuses(running, 12) == [404] * 9 + [429] * 3
    # a list that the event loop answers from memory is counted with all others
    assert statuses(running, 12, "/api/v1/events", token) == [200] * 10 + [429] * 2
    refused = running.send("GET", "/api/v1/events", token=token)
    assert refused.headers["X-RateLimit-Limit"] == "10"
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json["detail"].startswith("Too many requests.")
    assert statuses(running, 15, "/health", token) == [200] * 15
    assert statuses(running, 15, "/api/v1/datapoints/latest", token) == [200] * 15


def test_invented_forwarding_headers_give_no_more_guesses(fresh):
    running: Running = fresh()
    found = []
    for number in range(7):
        headers = {"X-Forwarded-For": f"198.51.100.{number}"}
        found.append(running.send("POST", LOGIN, {"email": MAIL, "password": "a guess"}, headers=headers).status)
    assert found == [401] * 5 + [429] * 2


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    """A server that believes the proxy on this machine, lists one other site and counts."""
    folder = tmp_path_factory.mktemp("proxied") / "data"
    running = Running(
        folder, WEBMACS_TRUSTED_PROXIES="127.0.0.1", CORS_ORIGINS=json.dumps([FRIEND]), RATE_LIMIT_PER_MINUTE="300"
    )
    try:
        running.start()
        yield running
    finally:
        running.end()


def test_behind_a_believed_proxy_each_sender_is_counted_alone(proxied):
    def left(said):
        answer = proxied.send("GET", "/api/v1/nowhere", headers={"X-Forwarded-For": said})
        return int(answer.headers["X-RateLimit-Remaining"])

    assert [left("198.51.100.1"), left("203.0.113.5, 198.51.100.1"), left("198.51.100.2")] == [299, 298, 299]


def test_https_by_way_of_the_proxy_makes_cookies_and_answers_strict(proxied):
    secure = {"X-Forwarded-For": "198.51.100.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "lab.example"}
    for path in ("/login", "/static/css/base.css", "/api/v1/nowhere", "/live/stream", "/health"):
        answer = proxied.send("GET", path, headers=secure)
        assert "max-age" in answer.headers["Strict-Transport-Security"], path
        assert all(cookie.startswith("__Host-") for cookie in answer.headers.get_all("Set-Cookie", [])), path
        assert proxied.send("GET", path).headers["Strict-Transport-Security"] is None, path
    assert proxied.send("GET", "/login", headers=secure).headers.get_all("Set-Cookie")


def test_the_fast_door_tells_a_listed_site_and_no_other(proxied):
    event = proxied.new_event("Seen from elsewhere")
    value = {"event_public_id": event, "value": 1}
    for path in ("/api/v1/datapoints", "/api/v1/events"):
        for _ in range(3):  # by way of Flask first, from the door or from memory later
            for origin, said in ((FRIEND, FRIEND), ("https://evil.example", None), (None, None)):
                method, body = ("POST", value) if path.endswith("datapoints") else ("GET", None)
                headers = {"Origin": origin} if origin else {}
                answer = proxied.send(method, path, body, proxied.token(), headers)
                assert answer.status in (200, 201)
                assert answer.headers["Access-Control-Allow-Origin"] == said, (path, origin)
                assert "Origin" in ", ".join(answer.headers.get_all("Vary", [])), (path, origin)
                assert lacking({name.lower(): value for name, value in answer.headers.items()}) == []


@pytest.mark.parametrize(
    ("origin", "host", "is_open"),
    [
        (FRIEND, "lab.example", True),
        ("https://lab.example", "lab.example", True),
        ("https://evil.example", "lab.example", False),
        ("https://lab.example.evil.example", "lab.example", False),
    ],
)
def test_a_socket_takes_pages_of_this_site_and_of_the_listed_ones(proxied, origin, host, is_open):
    headers = {"Authorization": f"Bearer {proxied.token()}", "X-Forwarded-Host": host, "X-Forwarded-Proto": "https"}
    url = f"ws://127.0.0.1:{proxied.port}/ws/datapoints/stream"
    with connect(url, additional_headers=headers, origin=origin, proxy=None) as socket:
        if is_open:
            assert json.loads(socket.recv(timeout=10))["type"] == "connected"
        else:
            with pytest.raises(ConnectionClosed, match="another site"):
                socket.recv(timeout=10)


def test_a_known_browser_is_known_by_its_secure_cookie(proxied):
    secure = {"X-Forwarded-For": "198.51.100.9", "X-Forwarded-Proto": "https"}
    page = proxied.send("GET", "/login", headers=secure)
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    token = page.body.decode().partition('name="csrf_token" value="')[2].partition('"')[0]
    form = f"csrf_token={token}&email={MAIL}&password={PASSWORD}".replace("@", "%40").replace(" ", "+").encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie}
    answer = proxied.send("POST", "/login", form, headers=secure | kind)
    assert answer.status == 303
    names = {line.partition("=")[0] for line in answer.headers.get_all("Set-Cookie")}
    assert names == {"__Host-webmacs", "__Host-webmacs-device"}


# --- what the server says without Flask -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (head("GET", "/live/stream"), 204),
        (head("POST", "/api/v1/datapoints/batch", "Content-Length: 99999999999"), 413),
        (head("POST", "/login", "Content-Length: 99999999999"), 413),
        (head("POST", "/live/stream"), 404),
        (head("GET", "/nowhere"), 404),
        (head("GET", "/static/%2e%2e/app.py"), 404),
        (head("OPTIONS", "/api/v1/events", f"Origin: {FRIEND}", "Access-Control-Request-Method: GET"), 400),
    ],
)
def test_answers_are_strict_whoever_makes_them(webmacs, request_, status):
    answer = ask(webmacs, request_)
    assert answer[0] == status
    assert lacking(answer[1]) == []
    assert answer[1]["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/api/v1/imports", "/api/v1/datapoints/bulk"])
def test_a_stranger_is_refused_before_a_large_body_is_taken(webmacs, path):
    length, kind = "Content-Length: 50000000", "Content-Type: application/x-ndjson"
    kind = "Content-Type: multipart/form-data; boundary=x" if path.endswith("imports") else kind
    answer = ask(webmacs, head("POST", path, length, kind))  # not one byte of the body
    assert answer[0] == 401
    assert lacking(answer[1]) == []


@pytest.mark.parametrize("path", ["/ws/datapoints/stream", "/ws/controller/telemetry"])
def test_a_message_on_a_socket_has_a_largest_size(webmacs, path):
    headers = {"Authorization": f"Bearer {webmacs.token()}"}
    url = f"ws://127.0.0.1:{webmacs.port}{path}"
    with connect(url, additional_headers=headers, proxy=None) as socket:
        socket.recv(timeout=10)
        socket.send(json.dumps({"type": "ping", "more": "x" * 1_000_000}))
        assert json.loads(socket.recv(timeout=10)) == {"type": "pong"}
        socket.send("x" * 1_100_000)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)
        assert closed.value.rcvd.code == 1009
