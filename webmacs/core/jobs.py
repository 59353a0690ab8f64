"""Work in the background: the queue, and the jobs that come round again."""

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Flask, current_app
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.job import Job

from webmacs.core import clock, trail

log = logging.getLogger(__name__)

QUEUE = "webmacs"
LIMIT = timedelta(minutes=3)  # after which a job that says nothing else is stopped


@dataclass(frozen=True)
class Periodic:
    """A job without arguments that comes round again `every` so often. Its name becomes part of an entry's id."""

    name: str
    run: Callable[[], None]
    every: timedelta

    def __post_init__(self) -> None:
        if re.fullmatch(r"[\w-]+", self.name, re.ASCII) is None:
            raise ValueError(f"the name of a periodic job has letters, digits, _ and - only: {self.name!r}")


def redis_of(app: Flask) -> Redis:
    """The one connection pool of this process."""
    pool: Redis = app.extensions["webmacs.redis"]
    return pool


def this_app() -> Flask:
    """The application itself, for what outlives the arrival or job that asks."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # typed as what it stands for
    return app


def queue(app: Flask) -> Queue:
    """The queue that the worker reads."""
    return Queue(QUEUE, connection=redis_of(app))


def enqueue(job: Callable[..., None], *ids: Any, limit: timedelta | None = LIMIT) -> None:
    """Ring the bell for a row: only after the commit, only ids. The job is stopped after `limit` (None: never)."""
    app = this_app()
    queue(app).enqueue(job, *ids, job_timeout=-1 if limit is None else int(limit.total_seconds()))


def run_worker(app: Flask) -> None:
    """Work until SIGTERM or SIGINT. Exits with 1 when Redis takes nothing at the start."""
    try:
        _schedule_all(app)
        worker = _worker(app)
    except RedisError as error:
        log.error("the worker cannot begin: %s", error)  # noqa: TRY400 - it is started again, and the reason is all
        raise SystemExit(1) from None
    worker.work(with_scheduler=True, logging_level="WARNING")


def _worker(app: Flask) -> Worker:
    """A worker whose jobs run inside the app."""

    class AppWorker(Worker):
        def perform_job(self, *arguments: Any, **named: Any) -> bool:
            with app.app_context(), trail.came_from(trail.Origin(_verb(arguments[0]))):
                return bool(super().perform_job(*arguments, **named))

        def run_maintenance_tasks(self) -> None:
            super().run_maintenance_tasks()  # type: ignore[no-untyped-call]  # RQ ships it without types
            # a turn that could not ask for the next one, because Redis was away, would have been the last
            _schedule_all(app)

    return AppWorker([queue(app)], connection=redis_of(app))


def _verb(job: Job) -> str:
    """What the audit trail calls a job: `exports.write`, `periodic.retention`."""
    name = job.func_name or "job"
    if name.endswith(".run_periodic"):
        return f"periodic.{job.args[0]}"
    return name.removeprefix("webmacs.features.").replace(".jobs.", ".")


def _schedule_all(app: Flask) -> None:
    periodic: Sequence[Periodic] = app.extensions["webmacs.periodic"]
    for job in periodic:
        _schedule(app, job)


def run_periodic(name: str) -> None:
    """Run one periodic job and ask for its next turn, also when it failed."""
    app = this_app()
    job = next(job for job in app.extensions["webmacs.periodic"] if job.name == name)
    try:
        job.run()
    finally:
        _schedule(app, job)


def _schedule(app: Flask, job: Periodic) -> None:
    """Ask for the job's next turn. The turn is part of the entry's id: however many workers ask, it runs once."""
    seconds = job.every.total_seconds()
    turn = int(clock.now().timestamp() // seconds) + 1
    entry = f"periodic-{job.name}-{turn}"
    if not Job.exists(entry, connection=redis_of(app)):
        when = clock.EPOCH + timedelta(seconds=turn * seconds)
        queue(app).enqueue_at(when, run_periodic, job.name, job_id=entry, result_ttl=3600)
