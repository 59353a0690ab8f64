"""Store and forward: samples wait on disk, in SQLite, until the server has acknowledged them.

Durability. The file is in WAL mode with synchronous=NORMAL: a commit is in the kernel before `add` returns, so a killed
process loses nothing, and a power cut cannot damage the file. A commit does not wait for the medium, which spares an SD
card one flush per tick; what a power cut can take are samples that were not sent yet and are younger than the last
`checkpoint`, which the sender calls at least every `CHECKPOINT_SECONDS` while samples wait. FULL would flush several
times a second for ever to protect samples that usually live here for a fraction of a second.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import structlog

log = structlog.get_logger(__name__)

CHECKPOINT_SECONDS = 10.0
QUARANTINE_LIMIT = 10_000
DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
SCHEMA = """
CREATE TABLE IF NOT EXISTS samples (
  id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, at INTEGER NOT NULL, value REAL NOT NULL);
CREATE TABLE IF NOT EXISTS quarantine (
  id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, at INTEGER NOT NULL, value REAL NOT NULL,
  reason TEXT NOT NULL, put_aside_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO state (name, value) VALUES ('newest', 0), ('dropped', 0);
"""
Result = TypeVar("Result")


class Sample(NamedTuple):
    """One value of one event; `at` in microseconds since 1970."""

    event: str
    at: int
    value: float


class Stored(NamedTuple):
    """A sample that waits in the buffer, and its number there."""

    id: int
    sample: Sample


class Buffer:
    """The samples on disk, oldest first, at most `limit`. Not for several threads at once.

    A damaged file is set aside, what can still be read of it is carried over, and the work goes on in a new file.
    Methods raise `sqlite3.Error` when the disk cannot be written; then nothing of that call was stored.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit
        self.count = 0
        self.dropped = 0
        self.newest = 0
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._connection = self._open()
            damage = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if damage != "ok":
                self._replace(str(damage))
        except sqlite3.DatabaseError as broken:
            if not _is_damage(broken):
                raise
            self._replace(str(broken))
        self._recall()

    def add(self, samples: Sequence[Sample]) -> int:
        """Store the samples in one transaction; returns how many of the oldest had to be dropped for the limit."""

        def work(connection: sqlite3.Connection) -> int:
            connection.executemany("INSERT INTO samples (event, at, value) VALUES (?, ?, ?)", samples)
            newest = max(sample.at for sample in samples)
            connection.execute("UPDATE state SET value = ? WHERE name = 'newest' AND value < ?", (newest, newest))
            excess = max(0, self.count + len(samples) - self._limit)
            if excess:
                oldest = "DELETE FROM samples WHERE id IN (SELECT id FROM samples ORDER BY id LIMIT ?)"
                connection.execute(oldest, (excess,))
                connection.execute("UPDATE state SET value = value + ? WHERE name = 'dropped'", (excess,))
            return excess

        if not samples:
            return 0
        dropped = self._transact(work)
        self.count += len(samples) - dropped
        self.dropped += dropped
        self.newest = max(self.newest, *(sample.at for sample in samples))
        return dropped

    def oldest(self, limit: int) -> list[Stored]:
        """The `limit` samples that wait longest; they stay until `settle`."""
        query = "SELECT id, event, at, value FROM samples ORDER BY id LIMIT ?"
        rows = self._transact(lambda connection: connection.execute(query, (limit,)).fetchall())
        return [Stored(number, Sample(event, at, value)) for number, event, at, value in rows]

    def settle(self, stored: Iterable[Stored], rejected: Sequence[tuple[Stored, str]] = ()) -> None:
        """Forget samples that the server has taken, and move those that it rejected to the quarantine."""
        gone = [(entry.id,) for entry in (*stored, *(entry for entry, _ in rejected))]
        now = time.time_ns() // 1000
        aside = [(*entry.sample, reason, now) for entry, reason in rejected]

        def work(connection: sqlite3.Connection) -> int:
            removed = connection.executemany("DELETE FROM samples WHERE id = ?", gone).rowcount
            if aside:
                insert = "INSERT INTO quarantine (event, at, value, reason, put_aside_at) VALUES (?, ?, ?, ?, ?)"
                connection.executemany(insert, aside)
                bound = "DELETE FROM quarantine WHERE id <= (SELECT max(id) FROM quarantine) - ?"
                connection.execute(bound, (QUARANTINE_LIMIT,))
            return removed

        if gone:
            self.count -= self._transact(work)

    def quarantined(self) -> list[tuple[Sample, str]]:
        """The rejected samples and why the server did not want them, oldest first."""
        query = "SELECT event, at, value, reason FROM quarantine ORDER BY id"
        rows = self._transact(lambda connection: connection.execute(query).fetchall())
        return [(Sample(event, at, value), reason) for event, at, value, reason in rows]

    def checkpoint(self) -> None:
        """Bring everything that was stored so far onto the medium."""
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close the file; the samples stay in it."""
        self._connection.close()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=5.0)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA journal_size_limit = 8388608")
        connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
        return connection

    def _recall(self) -> None:
        self.count = self._connection.execute("SELECT count(*) FROM samples").fetchone()[0]
        state = dict(self._connection.execute("SELECT name, value FROM state").fetchall())
        self.newest, self.dropped = state["newest"], state["dropped"]

    def _transact(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        try:
            return self._attempt(work)
        except sqlite3.DatabaseError as broken:
            if not _is_damage(broken):
                raise
            self._replace(str(broken))
            self._recall()
            return self._attempt(work)

    def _attempt(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(self._connection)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return result

    def _replace(self, reason: str) -> None:
        """Set the damaged file aside, start a new one and carry over what can still be read."""
        connection = getattr(self, "_connection", None)
        if connection is not None:
            connection.close()
        aside = self._path.with_name(f"{self._path.name}.damaged-{time.time_ns()}")
        for suffix in ("", "-wal", "-shm"):
            file = self._path.with_name(self._path.name + suffix)
            if file.exists():
                file.replace(aside.with_name(aside.name + suffix))
        self._connection = self._open()
        saved = _readable(aside)
        newest = max((self.newest, *(entry.sample.at for entry in saved)))

        def carry_over(fresh: sqlite3.Connection) -> None:
            rows = [(entry.id, *entry.sample) for entry in saved]
            fresh.executemany("INSERT INTO samples (id, event, at, value) VALUES (?, ?, ?, ?)", rows)
            fresh.execute("UPDATE state SET value = ? WHERE name = 'newest'", (newest,))
            # Saved samples keep their numbers, and new ones get numbers that the old file never gave: what the
            # sender has in flight is settled by number.
            fresh.execute("DELETE FROM sqlite_sequence")
            fresh.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('samples', ?)", (time.time_ns() // 1000,))

        self._attempt(carry_over)
        log.error("the buffer is damaged: set aside, new one started", file=aside.name, reason=reason, saved=len(saved))


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    # The low byte is the class of the error, the rest only says more about it.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGE


def _readable(path: Path) -> list[Stored]:
    """The samples of a damaged file up to the first page that cannot be read."""
    saved: list[Stored] = []
    try:
        connection = sqlite3.connect(path)
        try:
            for number, event, at, value in connection.execute("SELECT id, event, at, value FROM samples ORDER BY id"):
                if isinstance(event, str) and isinstance(at, int) and isinstance(value, float):
                    saved.append(Stored(number, Sample(event, at, value)))
        finally:
            connection.close()
    except (sqlite3.Error, OverflowError, UnicodeDecodeError):
        log.debug("the rest of the damaged buffer cannot be read", file=path.name)
    return saved
