"""What the store itself can do on this machine: the same rows without a server in front of it."""

import csv
import io
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg

TABLE = "CREATE TABLE datapoints (event_id INTEGER, ts INTEGER, value REAL, PRIMARY KEY (event_id, ts)) WITHOUT ROWID"
EVENTS = 10


@contextmanager
def store() -> Iterator[sqlite3.Connection]:
    """A SQLite file as safe as that of WebMACS: a commit has reached the disk."""
    with (
        tempfile.TemporaryDirectory(prefix="webmacs-bench-") as folder,
        closing(sqlite3.connect(Path(folder, "raw.db"), isolation_level=None)) as connection,
    ):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(TABLE)
        yield connection


def inserts(size: int, seconds: float) -> float:
    """Rows per second in transactions of `size` rows: into SQLite, or by COPY into the database of DATABASE_URL."""
    url = os.environ.get("DATABASE_URL")
    return copies(url, size, seconds) if url else _sqlite_inserts(size, seconds)


def copies(url: str, size: int, seconds: float) -> float:
    """Rows per second by COPY in transactions of `size` rows."""
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
        connection.execute("CREATE TEMP TABLE raw (event_id int, ts bigint, value float8, PRIMARY KEY (event_id, ts))")
        connection.commit()
        began, number = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            rows = [(n % EVENTS, number * size + n, n * 0.1) for n in range(size)]
            with connection.cursor() as cursor, cursor.copy("COPY raw FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(["int4", "int8", "float8"])
                for row in rows:
                    copy.write_row(row)
            connection.commit()
            number += 1
        return number * size / (time.monotonic() - began)


def _sqlite_inserts(size: int, seconds: float) -> float:
    with store() as connection:
        began, number = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            rows = [(n % EVENTS, number * size + n, n * 0.1) for n in range(size)]
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO datapoints VALUES (?, ?, ?)", rows)
            connection.execute("COMMIT")
            number += 1
        return number * size / (time.monotonic() - began)


def naive_csv(points: int) -> tuple[float, float]:
    """An export as one writes it first: read all, format all, then send; seconds to the first byte, rows per second."""
    with store() as connection:
        rows = ((n % EVENTS, n // EVENTS * 1000, n * 0.5) for n in range(points))
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO datapoints VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")
        began = time.monotonic()
        found = connection.execute("SELECT * FROM datapoints ORDER BY ts, event_id").fetchall()
        text = _formatted(found)
        seconds = time.monotonic() - began
        return seconds, text.count("\r\n") / seconds


def _formatted(rows: Iterable[tuple[int, int, float]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for event, ts, value in rows:
        moment = datetime.fromtimestamp(ts / 1e6, UTC).isoformat(timespec="microseconds")
        writer.writerow((moment, f"Bench {event}", f"evt_{event}", value, "°C", f"dpt_{event}_{ts:014x}"))
    return buffer.getvalue()


def milliseconds(file: Path, question: str, arguments: Iterable[object] = (), count: int = 60) -> float:
    """The median time of reading all rows of a question from WebMACS's own file."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as connection:
        return _median(lambda: connection.execute(question, tuple(arguments)).fetchall(), count)


def _median(work: Callable[[], object], count: int) -> float:
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)[count // 2]
