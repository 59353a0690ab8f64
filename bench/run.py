"""Measure a fresh WebMACS of this checkout over HTTP, against baselines measured in the same run.

Figures in units move with the machine and with whatever else it does; the ratios tell what WebMACS itself costs:
  bare   a bare Flask route behind the same server that parses the same body and stores nothing
  raw    the same rows or the same question in SQLite, without a server
  naive  as one writes it first: a transaction for each row; an export that reads all, formats all, then sends
DATABASE_URL names an empty PostgreSQL database to be measured instead of SQLite; raw is then COPY into it.
"""

import argparse
import http.client
import io
import itertools
import json
import os
import platform
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import load
import psutil
import psycopg
import pyarrow as pa
import raw
import servers
from servers import Server

EVENTS = 10
ARROW = "application/vnd.apache.arrow.stream"
SINGLE, BATCH = "/api/v1/datapoints", "/api/v1/datapoints/batch"
# values, channels, connections
BATCHES = ((100, 10, 1), (100, 10, 8), (500, 10, 1), (500, 10, 8), (500, 100, 8), (500, 500, 8))
STEP = 6_000_000  # microseconds between two moments of a channel of the experiment: 100,000 of them fill a week
SPAN = "UPDATE spans SET started_us = {start}, stopped_us = {stop} WHERE public_id = '{experiment}'"
STALE = "SELECT count(*) FROM stale_blocks"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=1_000_000, help="datapoints of the exported experiment")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each load")
    options = parser.parse_args()
    print(machine())
    print(f"{'':34}{'WebMACS':>12} {'':10}{'compared':>12}")
    began = time.monotonic()
    with servers.webmacs() as server, servers.bare() as bare:
        events = [server.new_event(f"Bench {number}") for number in range(EVENTS)]
        ingest(server, bare, events, options.seconds)
        bulk(server, events)
        for name, path in (("health", "/health"), ("channels, 100 of them", "/api/v1/events?page_size=100")):
            compare(f"{name}, 1 connection", load.rate(server, plain(server, path), 1, options.seconds), "requests/s",
                    bare=load.rate(bare, plain(bare), 1, options.seconds))  # fmt: skip
        experiment, start = fill(server, events, options.points)
        reads(server, bare, events, start)
        export(server, experiment, options.points)
    print(f"measured in {time.monotonic() - began:.0f} s")


def machine() -> str:
    """What is measured on."""
    told = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = psutil.virtual_memory().total / 2**30
    database = "PostgreSQL" if os.environ.get("DATABASE_URL") else f"SQLite {sqlite3.sqlite_version}"
    return (
        f"{os.cpu_count()} × {told[0] if told else platform.machine()}, {memory:.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {database}; "
        f"load average before: {os.getloadavg()[0]:.1f}"
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def compare(name: str, value: float, unit: str, **baselines: float) -> None:
    """One line: a figure, and what part of each baseline it is."""
    ratios = "".join(f"{value / figure:9.2f} × {kind} ({figure:,.0f})" for kind, figure in baselines.items() if figure)
    print(f"{name:34}{value:12,.1f} {unit:10}{ratios}", flush=True)


def plain(server: Server, path: str = "/health") -> load.Messages:
    message = server.message("GET", path)
    return lambda _connection, _number: message


def single(server: Server, events: list[str]) -> load.Messages:
    bodies = [json.dumps({"event_public_id": event, "value": 21.5}).encode() for event in events]
    messages = [server.message("POST", SINGLE, body) for body in bodies]
    return lambda _connection, number: messages[number % len(messages)]


def batches(server: Server, events: list[str], size: int, first: "itertools.count[int]") -> load.Messages:
    """Batches with times of their own, none twice."""

    def message(_connection: int, _number: int) -> bytes:
        start = next(first) * size
        points = ",".join(
            f'{{"event_public_id":"{events[n % EVENTS]}","value":{n * 0.1:.1f},"timestamp":{(start + n) / 1e3:.3f}}}'
            for n in range(size)
        )
        return server.message("POST", BATCH, f'{{"datapoints":[{points}]}}'.encode())

    return message


def untimed(server: Server, events: list[str], size: int) -> load.Messages:
    """Batches that get the server's time."""
    points = ",".join(f'{{"event_public_id":"{events[n % len(events)]}","value":{n * 0.1:.1f}}}' for n in range(size))
    message = server.message("POST", BATCH, f'{{"datapoints":[{points}]}}'.encode())
    return lambda _connection, _number: message


def ingest(server: Server, bare: Server, events: list[str], seconds: float) -> None:
    """Single values and batches, over few and many connections and channels."""
    many = [server.new_event(f"Many {number}") for number in range(500)]
    one, batch, naive = raw.inserts(1, 1.0), raw.inserts(500, 1.0), raw.inserts(1, 1.0)
    first = itertools.count(1_000_000)
    for connections in (1, 8, 32):
        compare(f"single, {connections} connections", load.rate(server, single(server, events), connections, seconds),
                "points/s", bare=load.rate(bare, single(bare, events), connections, seconds), raw=one)  # fmt: skip
    for size, channels, connections in (
        (100, 10, 1),
        (100, 10, 8),
        (500, 10, 1),
        (500, 10, 8),
        (500, 100, 8),
        (500, 500, 8),
    ):
        messages = untimed(server, many[:channels], size)
        ours = size * load.rate(server, messages, connections, seconds)
        theirs = size * load.rate(bare, untimed(bare, many[:channels], size), connections, seconds)
        compare(f"batch of {size}, {channels} channels, {connections} conn.", ours, "points/s",
                bare=theirs, raw=batch, naive=naive)  # fmt: skip
    ours = 500 * load.rate(server, batches(server, events, 500, first), 8, seconds)
    compare("the same with times of their own", ours, "points/s", raw=batch)


def bulk(server: Server, events: list[str], rows: int = 200_000) -> None:
    """One body with many values, in two formats."""
    store = raw.inserts(20_000, 1.0)
    start = 1_700_000_000_000_000
    for number, (name, media, body) in enumerate(bodies(events, rows, start)):
        message = server.message("POST", "/api/v1/datapoints/bulk", body, media)
        began = time.monotonic()
        status = load.Connection(server).ask(message)
        if status != 201:
            raise RuntimeError(f"the bulk route answers {status}")
        compare(f"bulk, {name}, {rows:,} rows", rows / (time.monotonic() - began), "points/s", raw=store)
        start += (number + 1) * rows


def bodies(events: list[str], rows: int, start: int) -> Iterator[tuple[str, str, bytes]]:
    """Name, media type and body."""
    lines = (
        f'{{"event_public_id":"{events[n % EVENTS]}","value":{n * 0.1:.1f},"timestamp":{(start + n) / 1e6:.6f}}}\n'
        for n in range(rows)
    )
    yield "NDJSON", "application/x-ndjson", "".join(lines).encode()
    yield "Arrow", ARROW, arrow(events, range(rows), lambda n: start + rows + n)


def arrow(events: list[str], numbers: range, moment: Callable[[int], int]) -> bytes:
    """An Arrow stream with a row for each number."""
    table = pa.table(
        {
            "event_public_id": pa.array([events[n % EVENTS] for n in numbers]).dictionary_encode(),
            "value": pa.array([n * 0.1 for n in numbers]),
            "timestamp": pa.array([moment(n) for n in numbers], pa.timestamp("us", "UTC")),
        }
    )
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=65_536)
    return sink.getvalue()


def fill(server: Server, events: list[str], points: int) -> tuple[str, int]:
    """An experiment with so many datapoints, folded into rollups; returns its id and its start."""
    made = server.call("POST", "/api/v1/experiments", {"name": "Bench", "event_public_ids": events})
    experiment = str(made["public_id"])
    server.call("PUT", f"/api/v1/experiments/{experiment}/stop")
    start = int(time.time() * 1e6) - points // EVENTS * STEP - 60_000_000
    for begin in range(0, points, 500_000):
        numbers = range(begin, min(points, begin + 500_000))
        body = arrow(events, numbers, lambda n: start + n // EVENTS * STEP)
        load.Connection(server).ask(server.message("POST", "/api/v1/datapoints/bulk", body, ARROW))
    database(server, SPAN.format(start=start, stop=start + points // EVENTS * STEP, experiment=experiment))
    deadline = time.monotonic() + 120
    while database(server, STALE) and time.monotonic() < deadline:
        time.sleep(0.5)
    return experiment, start


def database(server: Server, statement: str) -> int:
    """Past the server: the first number of a question, else 0."""
    url = os.environ.get("DATABASE_URL")
    if url:
        with psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), autocommit=True) as connection:
            found = connection.execute(statement.encode())
            return int(found.fetchall()[0][0]) if found.description else 0
    with closing(sqlite3.connect(server.folder / "webmacs.db", timeout=60)) as file, file:
        row = file.execute(statement).fetchone()
        return int(row[0]) if row else 0


def reads(server: Server, bare: Server, events: list[str], start: int) -> None:
    """Latest and series: median, 95th percentile, and the same questions asked of the file itself."""
    path, file = f"{SINGLE}/latest", server.folder / "webmacs.db"
    minutes = int((time.time() - start / 1e6) / 60) + 2
    wanted = json.dumps({"event_public_ids": events[:1], "minutes": min(14_400, minutes), "max_points": 500}).encode()
    series = server.message("POST", f"{SINGLE}/series", wanted)
    newest = "SELECT events.public_id, ts, value FROM latest_datapoints JOIN events ON events.id = event_id"
    window = "SELECT ts, value FROM datapoints JOIN events ON events.id = event_id WHERE public_id = ? AND ts >= ?"
    bare_time = load.times(bare, bare.message("GET", path))[0]
    envelope = server.message("POST", f"{SINGLE}/series", wanted.replace(b"{", b'{"downsample":"minmax",', 1))
    ten = json.dumps({"event_public_ids": events, "minutes": min(14_400, minutes), "max_points": 500}).encode()
    for name, message, question, arguments in (
        ("latest of all channels", server.message("GET", path), newest, ()),
        ("series of 1 channel, 500 points", series, window, (events[0], start)),
        ("the same, lowest and highest", envelope, window, (events[0], start)),
        ("series of 10 channels", server.message("POST", f"{SINGLE}/series", ten), "", ()),
        ("first page of datapoints", server.message("GET", SINGLE), "", ()),
    ):
        median, late = load.times(server, message)
        stored = raw.milliseconds(file, question, arguments, 20) if file.exists() and question else 0.0
        compares = f"{median / bare_time:9.2f} × bare ({bare_time:.1f})"
        compares += f"{median / stored:9.2f} × raw ({stored:.1f})" if stored else ""
        print(f"{name:34}{median:12,.1f} ms        {compares}   p95 {late:.1f} ms", flush=True)


def export(server: Server, experiment: str, points: int) -> None:
    """The CSV: first byte, speed, memory, and how long others wait meanwhile."""
    naive_first, naive_rate = raw.naive_csv(points)
    quiet = load.times(server, server.message("GET", "/api/v1/auth/me"))
    before = peak = _memory(server)
    meanwhile: list[tuple[float, float]] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            meanwhile.append(load.times(server, server.message("GET", "/api/v1/auth/me"), 20))

    asking = threading.Thread(target=ask)
    first, rows, began = 0.0, 0, time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    headers = {"Authorization": f"Bearer {server.token}"}
    connection.request("GET", f"/api/v1/experiments/{experiment}/export/csv", headers=headers)
    answer = connection.getresponse()
    rows = answer.read(1).count(b"\n")
    first = time.monotonic() - began
    while chunk := answer.read(1 << 18):
        rows += chunk.count(b"\n")
        peak = max(peak, _memory(server))
        if rows > points / 2 and not asking.ident:  # alone until then: the two halves give speed and waiting times
            half = rows / (time.monotonic() - began)
            asking.start()
    over.set()
    asking.join()
    compare("CSV, first byte", first * 1000, "ms", naive=naive_first * 1000)
    compare("CSV, rows", half, "rows/s", naive=naive_rate)
    print(f"{'CSV, growth of the server':34}{(peak - before) / 1e6:12,.1f} MB")
    median, late = (max(pair) for pair in zip(*meanwhile, strict=True))
    print(f"{'another request meanwhile':34}{median:12,.1f} ms{median / quiet[0]:17.2f} × quiet ({quiet[0]:.1f})"
          f"   p95 {late:.1f} ms, {late / quiet[1]:.2f} × quiet")  # fmt: skip


def _memory(server: Server) -> int:
    """Bytes that only the web process has."""
    memory = server.web.memory_info()
    return int(memory.rss - memory.shared)


if __name__ == "__main__":
    main()
