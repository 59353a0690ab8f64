"""Exports: the files are written in the background."""

import time
from collections.abc import Iterator
from datetime import timedelta

from flask import current_app

from webmacs.core import jobs, work
from webmacs.core.db import transaction
from webmacs.core.errors import Refusal, Unavailable
from webmacs.core.tenancy import enter
from webmacs.features.exports import operations, queries
from webmacs.features.exports.facts import ExportRequested
from webmacs.features.exports.operations import Task
from webmacs.features.exports.queries import Plan
from webmacs.gateways import files, parquet

BEAT_EVERY = 1.0  # seconds between two signs of life
NO_WORKER = "Files are written by the worker, which needs REDIS_URL. Smaller selections can be downloaded at once."
BROKEN = "Something broke while it was written; the server's log tells more."


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

    def fail(sentence: str) -> None:
        operations.settle(task, "failed", error=sentence)

    with work.carried_out(public_id, fail, BROKEN, Refusal, files.DiskFullError, parquet.MissingError):
        _write(task)


def _write(task: Task) -> None:
    with transaction(write=False):
        enter(task.actor.organization_id)
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
        operations.settle(task, "done", keep=keep, **values)  # a file that is not wanted any more is swept away


def _beat(task: Task, **values: int) -> None:
    with transaction():
        if not operations.progress(task, **values):
            raise work.UnwantedError


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
    """Ring again for exports that were left behind, and delete the files whose time is over."""
    with transaction():
        operations.expire()
        waiting = operations.left_behind()
    with transaction(write=False):
        operations.tidy()
    for public_id in waiting:
        jobs.enqueue(write, public_id, limit=None)
