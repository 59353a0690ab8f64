"""Work in the background: the queue, and the jobs that come round again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Flask, current_app
from redis import Redis
from rq import Queue, Worker
from rq.exceptions import NoSuchJobError
from rq.job import Job

QUEUE = "webmacs"


@dataclass(frozen=True)
class Periodic:
    """A job without arguments that comes round again `every` so often."""

    name: str
    run: Callable[[], None]
    every: timedelta


def redis_of(app: Flask) -> Redis:
    """The one connection pool of this process."""
    pool: Redis = app.extensions["webmacs.redis"]
    return pool


def queue(app: Flask) -> Queue:
    """The queue that the worker reads."""
    return Queue(QUEUE, connection=redis_of(app))


def enqueue(job: Callable[..., None], *ids: Any) -> None:
    """Ring the bell for a row: only after the commit, only ids."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    queue(app).enqueue(job, *ids)


def run_worker(app: Flask) -> None:
    """Work until SIGTERM or SIGINT; jobs run inside the app."""

    class AppWorker(Worker):
        def perform_job(self, *arguments: Any, **named: Any) -> bool:
            with app.app_context():
                return bool(super().perform_job(*arguments, **named))

    periodic: Sequence[Periodic] = app.extensions["webmacs.periodic"]
    for job in periodic:
        _schedule(app, job)
    AppWorker([queue(app)], connection=redis_of(app)).work(with_scheduler=True, logging_level="WARNING")


def run_periodic(name: str) -> None:
    """Run one periodic job and ask for its next turn, also when it failed."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    job = next(job for job in app.extensions["webmacs.periodic"] if job.name == name)
    try:
        job.run()
    finally:
        queue(app).enqueue_in(job.every, run_periodic, name, job_id=_job_id(job), result_ttl=0)


def _schedule(app: Flask, job: Periodic) -> None:
    """One entry for each job, whatever number of workers starts."""
    try:
        known = Job.fetch(_job_id(job), connection=redis_of(app)).get_status() in ("scheduled", "queued", "started")
    except NoSuchJobError:
        known = False
    if not known:
        queue(app).enqueue_in(timedelta(seconds=1), run_periodic, job.name, job_id=_job_id(job), result_ttl=0)


def _job_id(job: Periodic) -> str:
    return f"periodic-{job.name}"
