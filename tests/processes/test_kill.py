"""kill -9 at any moment: each part comes back, nothing acknowledged is lost, nothing is doubled."""

import itertools
import json
import os
import random
import re
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass

import psutil
import psycopg
import pytest

from tests.processes.pusher import Pusher
from tests.processes.rig import PARTS, Running, wait_until

POLL = 0.2  # seconds between two readings of the agent
LARGEST_GAP = 3.0  # seconds; the machine of the tests does other things as well
LONGEST = 90.0  # seconds for all the killing
Rows = list[tuple[int, float]]
Kills = list[tuple[float, str]]  # (seconds since 1970, part)


SERIES = "SELECT ts, value FROM datapoints JOIN events ON events.id = event_id WHERE public_id = {mark} ORDER BY ts"


@dataclass
class Stored:
    """Reads the datapoints of a WebMACS past the application."""

    running: Running
    url: str | None = None

    def of(self, event: str) -> Rows:
        """(microseconds, value) of a channel in order."""
        if self.url is not None:
            with psycopg.connect(self.url) as server:
                return list(server.execute(SERIES.format(mark="%s").encode(), [event]))
        with closing(sqlite3.connect(self.running.folder / "webmacs.db", timeout=30)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return list(database.execute(SERIES.format(mark="?"), [event]))

    def cut_connections(self) -> None:
        """End every connection of the application to the PostgreSQL server."""
        assert self.url is not None
        with psycopg.connect(self.url, autocommit=True) as server:
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


class Agent:
    """What the agent of a WebMACS knows: its channels, and how many samples it ever took."""

    def __init__(self, running: Running) -> None:
        self._buffer = running.folder / "agent" / "buffer.db"
        row = running.call("GET", "/api/v1/plugins")["data"][0]
        config = {"poll_interval_ms": int(POLL * 1000)}
        running.call("PUT", f"/api/v1/plugins/{row['public_id']}", {"config_json": json.dumps(config)})
        self.events = [str(m["event_public_id"]) for m in row["channel_mappings"] if m["event_public_id"]]
        wait_until(lambda: self._buffer.exists() and self.taken > 100, "the agent takes samples")

    def _ask(self, question: str) -> int:
        with closing(sqlite3.connect(f"file:{self._buffer}?mode=ro", uri=True, timeout=10)) as buffer:
            try:
                return int((buffer.execute(question).fetchone() or [0])[0])
            except sqlite3.OperationalError:  # the file has no tables yet
                return 0

    @property
    def taken(self) -> int:
        """Samples that it ever put into its buffer."""
        return self._ask("SELECT seq FROM sqlite_sequence WHERE name = 'samples'")

    @property
    def waiting(self) -> int:
        """Samples in its buffer."""
        return self._ask("SELECT count(*) FROM samples")

    @property
    def put_aside(self) -> int:
        """Samples that the server did not want, and those that had no room."""
        return self._ask("SELECT (SELECT count(*) FROM quarantine) + (SELECT value FROM state WHERE name = 'dropped')")


def kill_at_random(running: Running, plan: list[str], others: dict[str, Callable[[], None]]) -> Kills:
    """Kill the parts of the plan one after the other at moments that nobody knows."""
    chance, kills, began = random.SystemRandom(), [], time.monotonic()
    chance.shuffle(plan)
    for part in plan:
        time.sleep(chance.uniform(0, 0.8))
        if part in others:
            others[part]()
            continue
        process = running.part(part)  # it may be a moment old, or about to serve
        kills.append((time.time(), part))
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        assert time.monotonic() - began < LONGEST, "the parts take too long to come back"
    wait_until(lambda: set(running.parts()) == set(PARTS), "all parts run again", LONGEST)
    wait_until(running.serves, "the server answers", LONGEST)
    return kills


def unexplained_gaps(rows: Rows, kills: Kills) -> list[float]:
    """The gaps of the agent's series in which the agent itself was not killed, in seconds."""
    deaths = [moment for moment, part in kills if part == "agent"]
    pairs = ((before / 1e6, after / 1e6) for (before, _), (after, _) in itertools.pairwise(rows))
    return [
        round(after - before, 2)
        for before, after in pairs
        if after - before > LARGEST_GAP and not any(before - POLL <= death <= after for death in deaths)
    ]


PLANS = {
    "sqlite": ["web"] * 5 + ["worker"] * 3 + ["agent"] * 4 + ["broker"] * 4,
    "postgresql": ["web"] * 4 + ["worker"] * 1 + ["agent"] * 2 + ["broker"] * 2 + ["connections"] * 4,
}


@pytest.mark.parametrize("kind", PLANS)
def test_kill_9_at_any_moment_loses_nothing_and_doubles_nothing(
    fresh: Callable[..., Running], kind: str, request: pytest.FixtureRequest
) -> None:
    url = None if kind == "sqlite" else request.getfixturevalue("site").fresh("postgresql")
    running = fresh(WEBMACS_AGENT_SYNC_INTERVAL="0.5", **({} if url is None else {"DATABASE_URL": url}))
    stored, agent = Stored(running, url), Agent(running)
    plan = list(PLANS[kind])
    with ExitStack() as stack:
        pushers = [stack.enter_context(Pusher(running, running.new_event(f"Pushed {n}"))) for n in range(3)]
        kills = kill_at_random(running, plan, {"connections": stored.cut_connections})
        before = agent.taken
        wait_until(lambda: agent.taken > before + 100, "the agent takes samples again", 60)
        for pusher in pushers:
            pusher.finish()
    wait_until(lambda: agent.waiting < 200, "the agent has caught up", 60)
    assert running.stop() == 0, running.log

    for part in PARTS:
        killed = sum(1 for _, name in kills if name == part)
        told = re.findall(rf"\| {part} (?:is in a crash loop: it )?was killed by SIGKILL", running.log)
        assert len(told) == killed, running.log
    for pusher in pushers:
        assert pusher.surprises == []
        assert len(pusher.acknowledged) > 100
        assert stored.of(pusher.event) == pusher.acknowledged
    assert sum(pusher.attempts for pusher in pushers) > sum(len(p.acknowledged) for p in pushers) / 50, "no re-sending"
    check_agent(agent, stored, kills)


def check_agent(agent: Agent, stored: Stored, kills: Kills) -> None:
    """Every sample that the agent ever took is stored, and none twice."""
    series = {event: stored.of(event) for event in agent.events}
    assert agent.put_aside == 0
    assert agent.waiting == 0
    assert sum(len(rows) for rows in series.values()) == agent.taken
    for rows in series.values():
        if len(rows) > 20:  # a rate has no value at first, and some hosts have no thermometer
            assert unexplained_gaps(rows, kills) == []


def test_nothing_outlives_a_killed_supervisor_and_the_next_start_has_everything(
    fresh: Callable[..., Running],
) -> None:
    running = fresh()
    with Pusher(running, running.new_event("Pushed")) as pusher:
        wait_until(lambda: len(pusher.acknowledged) > 200, "some batches are acknowledged")
        family = psutil.Process(running.process.pid).children(recursive=True)
        running.process.kill()
        running.process.wait(10)
        gone, alive = psutil.wait_procs(family, timeout=20)
        assert not alive
        assert len(gone) >= len(PARTS)
        running.start()
        pusher.finish()
    assert running.stop() == 0
    assert pusher.surprises == []
    assert Stored(running).of(pusher.event) == pusher.acknowledged
