"""Exports: the files are written in the background."""

import logging
import time
from collections.abc import Iterator
from datetime import timedelta

from flask import current_app
from sqlalchemy.exc import OperationalError

from webmacs.core import jobs
from webmacs.core.db import transaction
from webmacs.core.errors import Refusal, Unavailable
from webmacs.features.exports import operations, queries
from webmacs.features.exports.facts import ExportRequested
from webmacs.features.exports.operations import Task
from webmacs.features.exports.queries import Plan
from webmacs.gateways import files, parquet

BEAT_EVERY = 1.0  # seconds between two signs of life
NO_WORKER = "Files are written by the worker, which needs REDIS_URL. Smaller selections can be downloaded at once."
BROKEN = "Something broke while it was written; the server's log tells more."

log = logging.getLogger(__name__)


class UnwantedError(Exception):
    """The export was cancelled or deleted, or another job has it."""


def check_worker() -> None:
    """Raise `Unavailable` on an installation that cannot have a worker."""
    if not current_app.config["REDIS_URL"]:
        raise Unavailable(NO_WORKER)


def ring(fact: ExportRequested) -> None:
    """Wake the worker for an export."""
    jobs.enqueue(write, fact.public_id, limit=None)


def write(public_id: str) -> None:
    """Write the file of an export, unless another job is at it or it is over."""
    with transaction():
        task = operations.claim(public_id)
    if task is None:
        return
    try:
        _write(task)
    except UnwantedError:
        log.info("export %s is no longer wanted", public_id)
    except OperationalError:
        raise  # the database is away: the row stays claimed, and is found by its missing heartbeat
    except (Refusal, files.DiskFullError, parquet.MissingError) as refused:
        with transaction():
            operations.settle(task, "failed", error=str(refused))
    except Exception:
        with transaction():
            operations.settle(task, "failed", error=BROKEN)
        raise


def _write(task: Task) -> None:
    with transaction(write=False):
        plan = queries.plan(task.actor, task.wish)
        total = queries.rows_of(plan)
    _beat(task, rows_total=total)
    with files.written(task.path) as sink:
        rows, last = 0, time.monotonic()
        for rows in _rows_written(plan, task.format, sink):
            if time.monotonic() - last >= BEAT_EVERY:
                _beat(task, rows_done=rows)
                last = time.monotonic()
        _beat(task, rows_done=rows)  # whoever lost it meanwhile must not put a file in its place
    keep = timedelta(hours=current_app.config["EXPORT_KEEP_HOURS"])
    with transaction():
        values = {"rows_done": rows, "rows_total": rows, "bytes": sink.bytes, "sha256": sink.sha256}
        kept = operations.settle(task, "done", keep=keep, **values)
    if not kept:
        files.remove(task.path)


def _beat(task: Task, **values: int) -> None:
    with transaction():
        if not operations.progress(task, **values):
            raise UnwantedError


def _rows_written(plan: Plan, kind: str, sink: files.Sink) -> Iterator[int]:
    """Write the plan's rows to the sink; the number of rows after each slice."""
    rows = 0
    if kind == "parquet":
        with parquet.writer(sink, parquet_channels(plan)) as add:
            for found in plan.columns():
                add(*found)
                rows += len(found.times)
                yield rows
        return
    head, layout = queries.layout_of(plan, kind)
    sink.write(head)
    for found in plan.columns():
        for chunk in layout.lines(*found):
            sink.write(chunk)
        rows += len(found.times)
        yield rows


def parquet_channels(plan: Plan) -> dict[int, parquet.Channel]:
    """What a Parquet file says about each channel."""
    return {channel.id: parquet.Channel(*channel[1:]) for channel in plan.channels}


def sweep() -> None:
    """Delete the files whose time is over, and ring again for exports that were left behind."""
    with transaction():
        operations.expire()
        waiting = operations.left_behind()
    for public_id in waiting:
        jobs.enqueue(write, public_id, limit=None)
