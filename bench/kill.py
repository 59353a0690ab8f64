"""kill -9 of the web process under load, many times over: is everything that was acknowledged there exactly once?

    python bench/kill.py --kills 200

Four senders push batches of 50 with timestamps of their own, and send each again until it is acknowledged. DATABASE_URL
may name an empty PostgreSQL database; without it SQLite is used. Prints a verdict and exits with 1 when it is bad.
"""

import argparse
import http.client
import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import Any

import psycopg
from servers import Server, webmacs

SENDERS, SIZE = 4, 50
STEP = 1000  # microseconds between two values
BATCH = "/api/v1/datapoints/batch"
SERIES = "SELECT ts, value FROM datapoints JOIN events ON events.id = event_id WHERE public_id = {mark} ORDER BY ts"
PATIENCE = 60.0  # seconds

Points = list[tuple[int, float]]  # (microseconds since 1970, value)


class Sender(threading.Thread):
    """Pushes to a channel of its own; `acknowledged` holds what a 201 stood for."""

    def __init__(self, server: Server, number: int) -> None:
        super().__init__(daemon=True)
        self.event = server.new_event(f"Sender {number}")
        self.acknowledged: Points = []
        self.repeated = 0
        self.surprises: set[str] = set()
        self.over = threading.Event()
        self._server = server
        self._start = int(time.time()) * 1_000_000
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        """Push until it is over."""
        number = 0
        while not self.over.is_set():
            points = [(self._start + n * STEP, float(n)) for n in range(number * SIZE, (number + 1) * SIZE)]
            items = [{"event_public_id": self.event, "value": value, "timestamp": ts / 1e6} for ts, value in points]
            body = json.dumps({"datapoints": items})
            while not self._deliver(body):
                self.repeated += 1
                time.sleep(0.02)
            if number % 10 == 9:
                self._deliver(body)  # acknowledged already: it must change nothing
                self.repeated += 1
            self.acknowledged += points
            number += 1

    def _deliver(self, body: str) -> bool:
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=10)
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._server.token}"}
            self._connection.request("POST", BATCH, body, headers)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection = None
            return False
        if answer.status not in (201, 503):
            self.surprises.add(f"{answer.status} {text[:200]!r}")
        return answer.status == 201


class Web:
    """The web process of `webmacs up`, started by ourselves: the supervisor would pause before each restart."""

    def __init__(self, server: Server) -> None:
        up = server.web.parent()
        if up is None:
            raise RuntimeError("webmacs up has ended")
        self._up = up
        self._command, self._environment = server.web.cmdline(), server.web.environ()
        self._log = (server.folder.parent / "web.log").open("wb")
        self._up.suspend()
        server.web.kill()
        self.start()

    def start(self) -> None:
        """Start it; it is not waited for."""
        self._process = subprocess.Popen(self._command, env=self._environment, stdout=self._log, stderr=self._log)

    def kill(self) -> None:
        """kill -9."""
        if self._process.poll() is not None:
            raise RuntimeError("the web process has ended by itself")
        self._process.kill()
        self._process.wait()

    def leave(self) -> None:
        """Kill it and give the rest back to the supervisor."""
        self.kill()
        self._log.close()
        self._up.resume()


def kill_all_the_time(web: Web, senders: list[Sender], kills: int) -> None:
    """Kill the web process so often, at moments that nobody knows, each after something was acknowledged again."""
    chance = random.SystemRandom()
    for number in range(kills):
        before = sum(len(sender.acknowledged) for sender in senders)
        deadline = time.monotonic() + PATIENCE
        while sum(len(sender.acknowledged) for sender in senders) == before:
            if time.monotonic() > deadline:
                raise RuntimeError("nothing is acknowledged any more")
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.3))
        web.kill()
        web.start()
        if (number + 1) % 20 == 0:
            print(f"{number + 1} kills, {before} values acknowledged", flush=True)


def stored(server: Server, event: str) -> Points:
    """What the database has of a channel, past the application."""
    url = os.environ.get("DATABASE_URL", "")
    if url.startswith("postgresql"):
        with psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://", 1)) as database:
            return list(database.execute(SERIES.format(mark="%s").encode(), [event]))
    with closing(sqlite3.connect(server.folder / "webmacs.db", timeout=30)) as database:
        whole = database.execute("PRAGMA integrity_check").fetchone()
        if whole != ("ok",):
            raise RuntimeError(f"the file is broken: {whole}")
        return list(database.execute(SERIES.format(mark="?"), [event]))


def judge(server: Server, senders: list[Sender]) -> dict[str, Any]:
    """Count what was acknowledged and what is there."""
    found = dict.fromkeys(("acknowledged", "stored", "lost", "too many", "repeated", "surprises"), 0)
    for sender in senders:
        rows, promised = stored(server, sender.event), set(sender.acknowledged)
        found["acknowledged"] += len(sender.acknowledged)
        found["stored"] += len(rows)
        found["lost"] += len(promised - set(rows))
        found["too many"] += len(rows) - len(promised & set(rows))
        found["repeated"] += sender.repeated
        found["surprises"] += len(sender.surprises)
        for surprise in sender.surprises:
            print(surprise)
    return found


def main() -> int:
    """Kill, count and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    kills = parser.parse_args().kills
    with webmacs() as server:
        senders = [Sender(server, number) for number in range(SENDERS)]
        web = Web(server)
        try:
            for sender in senders:
                sender.start()
            began = time.monotonic()
            kill_all_the_time(web, senders, kills)
            seconds = time.monotonic() - began
            for sender in senders:
                sender.over.set()
            for sender in senders:
                sender.join(PATIENCE)
                if sender.is_alive():
                    raise RuntimeError("the last batch is never acknowledged")
        finally:
            web.leave()
        found = judge(server, senders)
    print(f"{kills} kills in {seconds:.0f} s:", ", ".join(f"{count} {name}" for name, count in found.items()))
    good = found["lost"] == found["too many"] == found["surprises"] == 0 and found["acknowledged"] > 0
    print("Each acknowledged value is there exactly once." if good else "NOT GOOD")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
