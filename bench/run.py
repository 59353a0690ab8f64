"""Measure a fresh WebMACS of this checkout over HTTP, and compare with the original's figures.

The server, its agent and the load share the machine, so only ratios of one run count. `--points` sets the size of the
experiment whose CSV is downloaded, `--seconds` the length of each load, DATABASE_URL the database.
"""

import argparse
import contextlib
import http.client
import json
import multiprocessing
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

# What the original does on a quiet machine of two cores: requests or points per second, milliseconds, rows per second.
ORIGINAL = {
    "post single, 1 connection": 299.0,
    "post single, 8 connections": 404.0,
    "batch of 500, 1 connection": 23_800.0,
    "batch of 500, 8 connections": 32_400.0,
    "health": 949.0,
    "csv rows": 11_400.0,
}
MAIL, PASSWORD = "bench@example.org", "a password for the bench"
EVENTS = 10


@dataclass(frozen=True)
class Server:
    """A running WebMACS: where it listens and the process that answers."""

    port: int
    token: str
    web: psutil.Process

    def call(self, method: str, path: str, body: object = None) -> object:
        """One request; returns the parsed answer. Raises RuntimeError when it is refused."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, json.dumps(body) if body is not None else None, headers(self.token))
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]!r}")
        return json.loads(text)


def headers(token: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """`webmacs up` on a free port and a folder of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="webmacs-bench-") as folder:
        environment = os.environ | {
            "WEBMACS_PORT": str(port),
            "WEBMACS_DATA_DIR": folder,
            "INITIAL_ADMIN_EMAIL": MAIL,
            "INITIAL_ADMIN_USERNAME": "bench",
            "INITIAL_ADMIN_PASSWORD": PASSWORD,
        }
        log = Path(folder, "up.log")
        with log.open("wb") as out:
            up = subprocess.Popen([sys.executable, "-m", "webmacs", "up"], env=environment, stdout=out, stderr=out)
        try:
            while "Stop with Ctrl-C" not in log.read_text():
                if up.poll() is not None:
                    raise RuntimeError(log.read_text())
                time.sleep(0.05)
            web = next(child for child in psutil.Process(up.pid).children() if child.cmdline()[-1:] == ["web"])
            login = {"email": MAIL, "password": PASSWORD}
            answer = Server(port, "", web).call("POST", "/api/v1/auth/login", login)
            yield Server(port, answer["access_token"], web)  # type: ignore[index] - JSON
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait()


def _repeat(
    port: int, token: str, path: str, bodies: list[str], until: float, done: "multiprocessing.Queue[int]"
) -> None:
    """Send the bodies in turn until the time is up; reports the number of good answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    good = 0
    while time.monotonic() < until:
        body = bodies[good % len(bodies)]
        connection.request("POST" if body else "GET", path, body or None, headers(token))
        answer = connection.getresponse()
        answer.read()
        good += answer.status < 400
    done.put(good)


def rate(server: Server, path: str, bodies: Callable[[int], list[str]], connections: int, seconds: float) -> float:
    """Good answers per second with so many connections, each a process of its own; `bodies` makes a connection's."""
    done: multiprocessing.Queue[int] = multiprocessing.Queue()
    made = [bodies(number) for number in range(connections)]
    until = time.monotonic() + seconds
    workers = [
        multiprocessing.Process(target=_repeat, args=(server.port, server.token, path, some, until, done))
        for some in made
    ]
    for worker in workers:
        worker.start()
    total = sum(done.get() for _ in workers)
    for worker in workers:
        worker.join()
    return total / seconds


def batch(events: list[str], size: int, first: float, step: float = 0.001) -> str:
    """A batch of `size` points over the events, from `first` (epoch seconds) on."""
    points = [
        {
            "event_public_id": events[n % len(events)],
            "value": n * 0.1,
            "timestamp": round(first + n // len(events) * step, 6),
        }
        for n in range(size)
    ]
    return json.dumps({"datapoints": points})


def single(events: list[str]) -> list[str]:
    return [json.dumps({"event_public_id": event, "value": 21.5}) for event in events]


def export(server: Server, experiment: str) -> tuple[float, float, float]:
    """Download an experiment's CSV: seconds to the first byte, rows per second, growth of the web process in MB."""
    before = peak = server.web.memory_info().rss
    watching = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not watching.wait(0.01):
            peak = max(peak, server.web.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    connection.request("GET", f"/api/v1/experiments/{experiment}/export/csv", headers=headers(server.token))
    answer = connection.getresponse()
    rows = answer.read(1).count(b"\n")
    first = time.monotonic() - started
    while chunk := answer.read(1 << 16):
        rows += chunk.count(b"\n")
    seconds = time.monotonic() - started
    watching.set()
    watcher.join()
    return first, rows / seconds, (peak - before) / 1e6


def times(server: Server, method: str, path: str, body: object = None, count: int = 50) -> tuple[float, float]:
    """Median and 95th percentile of one request's time in milliseconds."""
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        server.call(method, path, body)
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken), statistics.quantiles(taken, n=20)[-1]


def show(name: str, value: float, unit: str) -> None:
    compared = f"{value / ORIGINAL[name]:8.1f} × the original" if name in ORIGINAL else ""
    print(f"{name:34} {value:12,.1f} {unit:10} {compared}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    with running() as server:
        events = [new_event(server, number) for number in range(EVENTS)]
        load(server, events, options.seconds)
        exported = fill(server, events, options.points)
        first, rows, growth = export(server, exported)
        show("csv rows", rows, "rows/s")
        show("csv first byte", first * 1000, "ms")
        show("csv memory growth", growth, "MB")
        show_times(server, events)


def new_event(server: Server, number: int) -> str:
    answer = server.call(
        "POST",
        "/api/v1/events",
        {"name": f"Bench {number}", "type": "sensor", "unit": "°C", "min_value": 0, "max_value": 1e9},
    )
    return str(answer["public_id"])  # type: ignore[index] - JSON


def load(server: Server, events: list[str], seconds: float) -> None:
    now = time.time() - 86400
    for connections in (1, 8):
        name = f"{connections} connection{'s' if connections > 1 else ''}"
        show(
            f"post single, {name}",
            rate(server, "/api/v1/datapoints", lambda _: single(events), connections, seconds),
            "/s",
        )

    def batches(number: int) -> list[str]:  # every connection writes times of its own, none twice
        return [batch(events, 500, now + number * 5000 + part) for part in range(2000)]

    for connections in (1, 8):
        name = f"{connections} connection{'s' if connections > 1 else ''}"
        now += 50_000 * connections
        show(
            f"batch of 500, {name}",
            500 * rate(server, "/api/v1/datapoints/batch", batches, connections, seconds),
            "points/s",
        )
    show("health", rate(server, "/health", lambda _: [""], 1, seconds), "/s")


def fill(server: Server, events: list[str], points: int) -> str:
    """An experiment of its own with so many points; returns its id."""
    answer = server.call("POST", "/api/v1/experiments", {"name": "Bench", "event_public_ids": events})
    experiment = str(answer["public_id"])  # type: ignore[index] - JSON
    for part in range(points // 500):
        server.call("POST", "/api/v1/datapoints/batch", json.loads(batch(events, 500, time.time(), step=0.0001)))
        if part % 100 == 0:
            print(f"\r{part * 500:,} points", end="", flush=True)
    print("\r\033[K", end="")
    server.call("PUT", f"/api/v1/experiments/{experiment}/stop")
    return experiment


def show_times(server: Server, events: list[str]) -> None:
    wanted = {"event_public_ids": events[:1], "minutes": 60, "max_points": 500}
    for name, method, path, body in (
        ("series, 1 event, 60 min", "POST", "/api/v1/datapoints/series", wanted),
        ("latest", "GET", "/api/v1/datapoints/latest", None),
        ("experiments", "GET", "/api/v1/experiments", None),
    ):
        median, late = times(server, method, path, body)
        print(f"{name:34} {median:12,.1f} ms         p95 {late:.1f} ms", flush=True)


if __name__ == "__main__":
    main()
