"""The export of a million datapoints: its first byte, its rows, what it costs the server, and what others notice."""

import http.client
import re
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psutil
import psycopg
import pytest

from tests.processes.rig import Running, wait_until

ROWS, CHANNELS = 1_000_000, 10
STEP = 1_000  # microseconds between two moments of all channels
HEADER = b"timestamp,event_name,event_public_id,value,unit,datapoint_public_id"
MOMENT = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00"
LINE = re.compile(rb"(%b),Channel (\d),(evt_\w+),(\d+\.\d+),\xc2\xb0C,(dpt_\w+_[0-9a-f]{14})" % MOMENT)
# {numbers} is a table whose column n counts from 0; its form is the only thing in which the databases differ
FILL = """
INSERT INTO datapoints (event_id, ts, value)
SELECT events.id, {start} + n * {step}, n * 0.5 FROM {numbers} CROSS JOIN events
WHERE events.name LIKE 'Channel _' ORDER BY events.id, n
"""
SQLITE_NUMBERS = "(WITH RECURSIVE c(n) AS (VALUES (0) UNION ALL SELECT n + 1 FROM c WHERE n < {last}) SELECT n FROM c)"
POSTGRESQL_NUMBERS = "generate_series(0, {last}) AS c(n)"
SPAN = "UPDATE spans SET started_us = {start}, stopped_us = {stop} WHERE public_id = '{experiment}'"


@dataclass(frozen=True)
class Filled:
    """A WebMACS with an experiment of a million datapoints."""

    running: Running
    experiment: str
    events: tuple[str, ...]
    start: int  # microseconds

    @property
    def path(self) -> str:
        return f"/api/v1/experiments/{self.experiment}/export/csv"

    @contextmanager
    def download(self) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.running.port, timeout=60)
        connection.request("GET", self.path, headers={"Authorization": f"Bearer {self.running.token()}"})
        answer = connection.getresponse()
        yield answer
        answer.close()
        connection.close()


def fill(running: Running, url: str | None) -> Filled:
    """Make an experiment over ten channels and put its datapoints straight into the database."""
    events = tuple(running.new_event(f"Channel {number}") for number in range(CHANNELS))
    made = running.call("POST", "/api/v1/experiments", {"name": "A million", "event_public_ids": list(events)})
    experiment = str(made["public_id"])
    running.call("PUT", f"/api/v1/experiments/{experiment}/stop")
    start, count = (int(time.time()) - 7200) * 1_000_000, ROWS // CHANNELS
    span = SPAN.format(start=start, stop=start + count * STEP, experiment=experiment)
    if url is None:
        rows = FILL.format(start=start, step=STEP, numbers=SQLITE_NUMBERS.format(last=count - 1))
        with closing(sqlite3.connect(running.folder / "webmacs.db", timeout=30)) as database, database:
            database.execute(span)
            database.execute(rows)
    else:
        rows = FILL.format(start=start, step=STEP, numbers=POSTGRESQL_NUMBERS.format(last=count - 1))
        with psycopg.connect(url, autocommit=True) as server:
            for statement in (span, rows, "ANALYZE datapoints"):
                server.execute(statement.encode())
    return Filled(running, experiment, events, start)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    url = None if request.param == "sqlite" else request.getfixturevalue("site").fresh("postgresql")
    running = Running(tmp_path_factory.mktemp("csv") / "data", **({} if url is None else {"DATABASE_URL": url}))
    try:
        running.start()
        yield fill(running, url)
    finally:
        running.end()


class Watch:
    """The largest memory of a process while one looks."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self.before = self.peak = own_memory(process)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._over.wait(0.02):
            self.peak = max(self.peak, own_memory(self._process))

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def growth(self) -> int:
        """Bytes."""
        return self.peak - self.before


def own_memory(process: psutil.Process) -> int:
    """Bytes that only this process has; pages of the database file are the system's."""
    return int(process.memory_info().rss - process.memory_info().shared)


def test_a_million_rows_are_all_there_in_order_and_cost_little(filled: Filled) -> None:
    with Watch(filled.running.part("web")) as watch:
        began = time.monotonic()
        with filled.download() as answer:
            first = answer.read(1)
            waited = time.monotonic() - began
            assert answer.headers["Content-Type"].startswith("text/csv")
            assert "attachment" in answer.headers["Content-Disposition"]
            text = first + answer.read()
    lines = text.split(b"\r\n")
    assert lines[0] == HEADER
    assert lines.pop() == b""
    assert len(lines) == ROWS + 1
    check(filled, lines)
    assert watch.growth < 50 << 20
    assert waited < 5  # the benchmark tells the real figure; here the machine does other things as well


def check(filled: Filled, lines: list[bytes]) -> None:
    """Every line has the form, none is missing, none is doubled, and they go by (time, channel)."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    for index in range(0, ROWS, 9_973):  # a prime: all channels, and moments from everywhere
        found = LINE.fullmatch(lines[index + 1])
        assert found, lines[index + 1]
        n, channel = divmod(index, CHANNELS)
        ts = filled.start + n * STEP
        moment = (epoch + timedelta(microseconds=ts)).isoformat(timespec="microseconds")
        event = filled.events[channel]
        expected = (moment, str(channel), event, repr(n * 0.5), f"dpt_{event[4:]}_{ts:014x}")
        assert tuple(part.decode() for part in found.groups()) == expected
    ids = {line.rpartition(b",")[2] for line in lines[1:]}
    assert len(ids) == ROWS


def test_a_reader_who_leaves_in_the_middle_stops_the_work(filled: Filled) -> None:
    web = filled.running.part("web")
    with filled.download() as answer:
        assert len(answer.read(100_000)) == 100_000
        sock = answer.fp.raw._sock  # type: ignore[union-attr]  # http.client has no other way to it
        sock.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: is_idle(web), "the server rests", timeout=15)


def is_idle(process: psutil.Process) -> bool:
    """Whether the process takes less than a fifth of a processor for half a second (the agent goes on)."""
    before = sum(process.cpu_times()[:2])
    time.sleep(0.5)
    return sum(process.cpu_times()[:2]) - before < 0.1


def test_readers_who_do_not_read_keep_others_from_nothing_but_more_downloads(filled: Filled) -> None:
    """Each export holds a connection to the database: there are only so many of both."""
    running = filled.running
    with ExitStack() as stack:
        stuck = [stack.enter_context(filled.download()) for _ in range(8)]
        assert [answer.status for answer in stuck] == [200] * 8
        refused = running.send("GET", filled.path, token=running.token())
        assert (refused.status, refused.headers["Retry-After"]) == (429, "5")
        assert "downloads" in refused.json["detail"]
        for _ in range(5):
            assert running.send("GET", "/api/v1/datapoints/latest", token=running.token(), timeout=10).status == 200
        event = filled.events[0]
        running.call("POST", "/api/v1/datapoints", {"event_public_id": event, "value": 1.0})
    wait_until(lambda: is_free(filled), "the places are free again")


def is_free(filled: Filled) -> bool:
    with filled.download() as answer:
        return answer.status == 200


def test_head_counts_as_no_download(filled: Filled) -> None:
    for _ in range(20):
        answer = filled.running.send("HEAD", filled.path, token=filled.running.token())
        assert (answer.status, answer.body) == (200, b"")
    assert is_free(filled)


def test_others_are_answered_and_may_record_while_an_export_runs(filled: Filled) -> None:
    """What is recorded into the experiment's time meanwhile may be in the file or not, but no line is there twice."""
    running, late = filled.running, filled.start + (ROWS // CHANNELS - 1) * STEP + 1
    asked = 0
    with filled.download() as answer:
        pieces: list[bytes] = []
        reader = threading.Thread(target=lambda: pieces.append(answer.read()))
        reader.start()
        while reader.is_alive():
            event = filled.events[asked % CHANNELS]
            point = {"event_public_id": event, "value": 0.25, "timestamp": (late + min(asked, STEP - 2)) / 1e6}
            began = time.monotonic()
            running.call("POST", "/api/v1/datapoints", point)
            assert running.send("GET", "/api/v1/auth/me", token=running.token()).status == 200
            assert time.monotonic() - began < 5
            asked += 1
        reader.join()
    lines = pieces[0].split(b"\r\n")
    assert asked >= 3
    assert ROWS + 2 <= len(lines) <= ROWS + 2 + asked
    assert len(set(lines)) == len(lines)
