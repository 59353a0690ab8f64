"""The keeper of a running server: what was recorded is folded without anybody asking."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

from tests.processes.rig import Running, wait_until

BATCH = "/api/v1/datapoints/batch"
START = 1_763_640_000


def folded(running: Running) -> int:
    """The points that the rollups of a minute tell of."""
    with closing(sqlite3.connect(running.folder / "webmacs.db", timeout=10)) as database:
        row = database.execute("SELECT coalesce(sum(points), 0) FROM rollups WHERE width = 60000000").fetchone()
    return int(row[0])


def test_history_is_folded_while_the_server_runs_and_after_a_kill(fresh: Callable[..., Running]) -> None:
    running = fresh()
    event = running.new_event("History")

    def push(first: int) -> None:
        points = [{"event_public_id": event, "value": n, "timestamp": START + first + n} for n in range(500)]
        running.call("POST", BATCH, {"datapoints": points})

    before = folded(running)
    push(0)
    wait_until(lambda: folded(running) >= before + 500, "the first batch is folded", timeout=60)
    push(10_000)
    running.kill("web")
    wait_until(running.serves, "the server is back")
    wait_until(lambda: folded(running) >= before + 1000, "the second batch is folded", timeout=60)
