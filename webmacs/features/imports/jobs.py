"""Imports: files are checked and recorded in the background."""

import time
from collections.abc import Iterator
from itertools import islice

from webmacs.core import jobs, work
from webmacs.core.db import transaction
from webmacs.core.tenancy import enter
from webmacs.features.datapoints.admit import Channel, Reading, admit, moments
from webmacs.features.datapoints.store import Point
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

    def fail(sentence: str) -> None:
        operations.settle(task, "failed", error=sentence)

    with work.carried_out(public_id, fail, BROKEN, UnreadableError, tables.BrokenFileError, parquet.MissingError):
        tally = _carry_out(task)
        with transaction():
            state = "checked" if task.is_check else "done"
            operations.settle(task, state, tally.problems, rows_total=tally.rows, **tally.counts)


def _carry_out(task: Task) -> Tally:
    tally = Tally()
    if not task.path.is_file():
        raise UnreadableError("The file is gone.")
    with transaction(write=False):
        enter(task.actor.organization_id)
        known, names = queries.channels(task.actor), queries.names(task.actor)
    with tables.opened(task.path, task.format, task.mapping.delimiter) as table:
        reader = Reader(task.mapping, table.header, names)
        for lines in _batches(table.lines):
            rows = _admitted(lines, reader, known, tally)
            with transaction():
                enter(task.actor.organization_id)
                if not operations.progress(task, rows, rows_total=table.total(), **tally.counts):
                    raise work.UnwantedError
            time.sleep(GIVE_WAY)
    return tally


def _batches(lines: Iterator[Line]) -> Iterator[list[Line]]:
    return iter(lambda: list(islice(lines, BATCH)), [])


def _admitted(lines: list[Line], reader: Reader, known: dict[str, Channel], tally: Tally) -> list[Point]:
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
    """Ring again for imports that were left behind, and delete the files whose time is over."""
    with transaction():
        operations.expire()
        waiting = operations.left_behind()
    with transaction(write=False):
        operations.tidy()
    for public_id in waiting:
        jobs.enqueue(carry_out, public_id, limit=None)
