"""Every route of a real server under bent addresses, byte for byte: none opens what the straight one refuses."""

import re
import socket

import pytest

from tests.contracts import approved
from tests.contracts.world import declared, nothing
from tests.processes.rig import Running
from tests.processes.test_bad_input import head, read_answer
from webmacs.core.permissions import VIEWER, Access, Can
from webmacs.factory import create_app
from webmacs.settings import Settings


def bent(path: str) -> set[str]:
    """Other spellings of a path, as they go over the wire."""
    first, _, rest = path[1:].partition("/")
    tail = f"/{rest}" if rest else ""
    letter = re.sub(r"[a-z]", lambda match: f"%{ord(match[0]):02x}", path, count=1)
    return {
        *(f"/{path}", f"//{path}", f"/.{path}", f"/x/..{path}", f"/%2e{path}", f"/x/%2e%2e{path}", f"/%2f{path[1:]}"),
        *(f"/{first}/{tail}", f"/{first}/.{tail}", f"/{first}/x/..{tail}", f"/{first}%2f{rest}", f"/{first}%5c{rest}"),
        *(f"{path}/", f"{path}//", f"{path}/.", f"{path}/..", f"{path}%2f", f"{path}%00", f"{path}%20", f"{path}%09"),
        *(f"{path};x=1", f"{path}.json", f"{path}%3fx", f"{path}%23x", f"{path}\\", f"/static/..{path}"),
        *(f"/health{path}", f"/health;{path}", f"/health/..{path}", f"/health%2f..{path}", f"/static/%2e%2e{path}"),
        f"/live/stream/..{path}",
        *(path.upper(), path.title(), letter, letter.upper(), f"http://localhost{path}", f"{path}?_method=GET"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def routes(tmp_path_factory):
    """The routes, as the server has them."""
    folder = tmp_path_factory.mktemp("routes")
    app = create_app(Settings(data_dir=folder, database_url=f"sqlite:///{folder}/none.db", log_level="error"))
    return declared(app)


class Wire:
    """One connection after the other, each kept as long as the server likes."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._socket: socket.socket | None = None

    def status(self, request: bytes, method: str) -> int:
        """The status of the answer."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._running.port), timeout=15)
        self._socket.sendall(request)
        status, headers, _ = read_answer(self._socket, method)
        if headers.get("connection") == "close" or "content-length" not in headers:
            self.close()
        return status

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None


@pytest.fixture
def wire(webmacs):
    """A wire to the shared server."""
    wire = Wire(webmacs)
    yield wire
    wire.close()


def opened(wire, routes, token, refused):
    """The requests that were answered with 2xx although the straight ones would not be."""
    named, found, tried = nothing(), [], 0
    for route in routes:
        if not refused(route):
            continue
        for path in bent(route.path(named)):
            more = ["Content-Length: 0"] if route.is_unsafe else []
            status = wire.status(head(route.method, path, *more, token=token), route.method)
            tried += 1
            if 200 <= status < 300:
                found.append((route.method, path, status))
    assert tried > 500
    return found


def test_no_bent_address_opens_anything_to_strangers(wire, routes):
    found = opened(wire, routes, "", lambda route: route.name not in approved.PUBLIC)
    assert found == []


def test_no_bent_address_gives_a_viewer_more(webmacs, wire, routes):
    mail, _ = webmacs.new_user("bent.viewer")
    token = webmacs.token(mail)

    def refused(route):
        can = route.edge.can
        return can is not Access.SIGNED_IN and isinstance(can, Can) and can not in VIEWER

    assert opened(wire, routes, token, refused) == []


@pytest.mark.parametrize("door", ["/api/v1/datapoints", "/api/v1/datapoints/batch"])
def test_no_bent_address_of_a_fast_door_records_for_a_viewer(webmacs, wire, door):
    event = webmacs.new_event(f"Behind {door}")
    mail, _ = webmacs.new_user(f"viewer{len(door)}")
    value = f'{{"event_public_id": "{event}", "value": 1}}'
    body = (value if door.endswith("s") else f'{{"datapoints": [{value}]}}').encode()
    for token in (webmacs.token(mail), "", "wm_" + "x" * 64):
        for path in bent(door) | {door}:
            length = f"Content-Length: {len(body)}"
            request = head("POST", path, "Content-Type: application/json", length, token=token) + body
            assert wire.status(request, "POST") >= 300, path
    assert webmacs.call("GET", f"/api/v1/datapoints?event_public_id={event}")["total"] == 0


def test_no_bent_address_reads_what_the_server_remembers_for_others(webmacs, wire):
    webmacs.new_event("Remembered")
    for _ in range(3):
        webmacs.call("GET", "/api/v1/events")
    for path in bent("/api/v1/events") | {"/api/v1/events"}:
        for token in ("", "wm_" + "x" * 64):
            assert wire.status(head("GET", path, token=token), "GET") >= 300, path
