"""Imports: files are checked and recorded in the background."""

import logging
import time
from collections.abc import Iterator
from itertools import islice

from sqlalchemy.exc import OperationalError

from webmacs.core import jobs
from webmacs.core.db import transaction
from webmacs.features.datapoints.admit import Channel, Reading, admit, moments
from webmacs.features.datapoints.store import Row
from webmacs.features.imports import operations, queries
from webmacs.features.imports.decide import Reader, UnreadableError
from webmacs.features.imports.facts import ImportRequested
from webmacs.features.imports.operations import Task
from webmacs.features.imports.schemas import MOST_PROBLEMS
from webmacs.gateways import parquet, tables
from webmacs.gateways.tables import Line

BATCH = 2_000  # rows of the file between two commits: others record in between
GIVE_WAY = 0.01  # seconds after each commit in which somebody else may have the database
BROKEN = "Something broke while the file was read; the server's log tells more. What was recorded stays."

log = logging.getLogger(__name__)


class UnwantedError(Exception):
    """The import was cancelled or deleted, or another job has it."""


class Tally:
    """What became of the rows so far."""

    def __init__(self) -> None:
        self.rows = 0
        self.accepted = 0
        self.rejected = 0
        self.problems: list[dict[str, int | str]] = []

    def reject(self, line: int, reason: str) -> None:
        """Count a value that cannot be recorded, and list it while the list is short."""
        self.rejected += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append({"line": line, "reason": reason})

    @property
    def counts(self) -> dict[str, int]:
        """As the columns of the import are called."""
        return {"rows_done": self.rows, "accepted": self.accepted, "rejected": self.rejected}


def ring(fact: ImportRequested) -> None:
    """Wake the worker for an import."""
    jobs.enqueue(carry_out, fact.public_id, limit=None)


def carry_out(public_id: str) -> None:
    """Check or record the file of an import, unless another job is at it or it is over."""
    with transaction():
        task = operations.claim(public_id)
    if task is None:
        return
    try:
        tally = _carry_out(task)
    except UnwantedError:
        log.info("import %s is no longer wanted", public_id)
    except OperationalError:
        raise  # the database is away: the row stays claimed, and is found by its missing heartbeat
    except (UnreadableError, tables.BrokenFileError, parquet.MissingError, FileNotFoundError) as refused:
        sentence = "The file is gone." if isinstance(refused, FileNotFoundError) else str(refused)
        with transaction():
            operations.settle(task, "failed", error=sentence)
    except Exception:
        with transaction():
            operations.settle(task, "failed", error=BROKEN)
        raise
    else:
        with transaction():
            state = "checked" if task.is_check else "done"
            operations.settle(task, state, tally.problems, rows_total=tally.rows, **tally.counts)


def _carry_out(task: Task) -> Tally:
    tally = Tally()
    with transaction(write=False):
        known, names = queries.channels(task.actor), queries.names(task.actor)
    with tables.opened(task.path, task.format, task.mapping.delimiter) as table:
        reader = Reader(task.mapping, table.header, names)
        for lines in _batches(table.lines):
            rows = _admitted(lines, reader, known, tally)
            with transaction():
                if not operations.progress(task, rows, rows_total=table.total(), **tally.counts):
                    raise UnwantedError
            time.sleep(GIVE_WAY)
    return tally


def _batches(lines: Iterator[Line]) -> Iterator[list[Line]]:
    return iter(lambda: list(islice(lines, BATCH)), [])


def _admitted(lines: list[Line], reader: Reader, known: dict[str, Channel], tally: Tally) -> list[Row]:
    """The rows that can be recorded; the others are counted."""
    batch: list[Reading] = []
    places: list[int] = []
    for number, cells in lines:
        tally.rows += 1
        if cells is None:
            tally.reject(number, tables.BROKEN_ROW)
            continue
        for found in reader.read(cells):
            if isinstance(found, str):
                tally.reject(number, found)
            else:
                batch.append(Reading(found.channel, found.value, found.ts))
                places.append(number)
    admitted = admit(batch, known, moments)
    for index, reason in admitted.rejected.items():
        tally.reject(places[index], reason)
    tally.accepted += len(admitted.timed)
    return admitted.timed


def sweep() -> None:
    """Delete the files whose time is over, and ring again for imports that were left behind."""
    with transaction():
        operations.expire()
        waiting = operations.left_behind()
    for public_id in waiting:
        jobs.enqueue(carry_out, public_id, limit=None)
