"""When the database is away, busy or full: how that is recognised, what is said, and how often it is logged."""

import logging
import sqlite3
import threading
import time
from typing import Any

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection

AWAY = (sqlite3.OperationalError, psycopg.OperationalError, psycopg.InterfaceError, SQLAlchemyError)
FULL = "The disk is full; nothing was saved."
SILENT = "The database does not answer at the moment; nothing was saved. Try again in a few seconds."
QUIET = 5.0  # seconds in which the same trouble is not logged again

# the primary codes of SQLite that speak of its file and of who else is at it, not of the statement
_OF_THE_FILE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
_NO_ROOM = (sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_WRITE)  # a full disk in other words


def is_away(error: BaseException) -> bool:
    """Whether the database is away, busy or full, rather than the statement being wrong."""
    cause = _cause(error)
    if isinstance(cause, sqlite3.OperationalError):
        code = getattr(cause, "sqlite_errorcode", None)  # none: we said it ourselves
        return code is None or code & 0xFF in _OF_THE_FILE
    return isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError | NoConnection)


def told_by(libpq: Any, result: Any) -> psycopg.Error:
    """The error of a text that was sent past psycopg's cursors.

    Without an SQLSTATE it is not the server that speaks: the connection is gone, whatever its status says yet.
    """
    error = error_from_result(result)
    gone = libpq.status != ConnStatus.OK or error.sqlstate is None
    return psycopg.OperationalError(libpq.get_error_message()) if gone else error


def is_full(error: BaseException) -> bool:
    """Whether there is no room on the disk of the database."""
    cause = _cause(error)
    code: int = getattr(cause, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_FULL or code in _NO_ROOM or isinstance(cause, psycopg.errors.DiskFull)


def sentence(error: BaseException) -> str:
    """What the user is told."""
    return FULL if is_full(error) else SILENT


def report(log: logging.Logger, what: str, error: BaseException) -> None:
    """Log that something could not be done: in one line, seldom, when the database is away; else with all there is."""
    if not is_away(error):
        log.error(what, exc_info=error)
    elif (missing := _seldom.due(f"{what} {sentence(error)}")) is not None:
        more = f" ({missing} more of the same were not logged)" if missing else ""
        log.error("%s: %s%s", what, _cause(error), more)


class Seldom:
    """Lets the same line through once in a while. Thread-safe."""

    def __init__(self, every: float = QUIET) -> None:
        self._every = every
        self._last: dict[str, float] = {}
        self._missing: dict[str, int] = {}
        self._lock = threading.Lock()

    def due(self, line: str) -> int | None:
        """How often it was held back since it was let through last; None when it is held back again."""
        with self._lock:
            now = time.monotonic()
            if line in self._last and now - self._last[line] < self._every:
                self._missing[line] = self._missing.get(line, 0) + 1
                return None
            self._last[line] = now
            return self._missing.pop(line, 0)


_seldom = Seldom()


def _cause(error: BaseException) -> BaseException:
    """The driver's own words."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
