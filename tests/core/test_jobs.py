"""The queue and the jobs that come round again, on a real Redis."""

from datetime import timedelta

import pytest
import time_machine
from redis import Redis
from rq import SimpleWorker
from rq.job import Job
from rq.registry import ScheduledJobRegistry

from webmacs.core import clock, jobs
from webmacs.core.jobs import Periodic

DONE = []


def note(*ids):
    """A job that leaves a trace."""
    DONE.append(ids)


def fail():
    """A periodic job that breaks."""
    DONE.append("failed")
    raise RuntimeError("broken")


@pytest.fixture
def redis(site, app):
    """The application's Redis, empty."""
    with Redis.from_url(site.redis) as redis:
        redis.flushall()
        DONE.clear()
        yield redis
        redis.flushall()


def _work(app, redis):
    """Do what is in the queue now, in this process."""
    with app.app_context():
        SimpleWorker([jobs.queue(app)], connection=redis).work(burst=True, logging_level="ERROR")


def _scheduled(app):
    return sorted(ScheduledJobRegistry(queue=jobs.queue(app)).get_job_ids())


def test_a_job_gets_the_ids_that_it_was_rung_with(app, redis):
    with app.app_context():
        jobs.enqueue(note, "exp_1", 2)
    _work(app, redis)
    assert DONE == [("exp_1", 2)]


@pytest.fixture
def every_minute(app):
    """A periodic job that leaves a trace, another one that breaks."""
    known = app.extensions["webmacs.periodic"]
    both = (Periodic("note", note, timedelta(minutes=1)), Periodic("fail", fail, timedelta(minutes=1)))
    app.extensions["webmacs.periodic"] = both
    yield both
    app.extensions["webmacs.periodic"] = known


def test_however_many_workers_start_there_is_one_turn(app, redis, every_minute):
    for _ in range(3):
        jobs._schedule(app, every_minute[0])
    assert len(_scheduled(app)) == 1


@pytest.mark.parametrize("name", ["note", "fail"])
def test_a_periodic_job_asks_for_its_next_turn_also_when_it_fails(app, redis, every_minute, name):
    with app.app_context():
        jobs.enqueue(jobs.run_periodic, name)
    _work(app, redis)
    assert len(DONE) == 1
    assert len(_scheduled(app)) == 1
    job = Job.fetch(_scheduled(app)[0], connection=redis)
    assert job.args == (name,)


def test_every_turn_has_its_own_entry(app, redis, every_minute):
    now = clock.now()
    for minutes in range(3):
        with time_machine.travel(now + timedelta(minutes=minutes), tick=False):
            jobs._schedule(app, every_minute[0])
    assert len(_scheduled(app)) == 3


def test_every_periodic_job_of_the_application_runs(app, redis):
    for job in app.extensions["webmacs.periodic"]:
        with app.app_context():
            jobs.run_periodic(job.name)
    assert len(_scheduled(app)) == len(app.extensions["webmacs.periodic"]) >= 1


def test_a_worker_asks_again_for_turns_that_were_lost_while_redis_was_away(app, redis, every_minute):
    jobs._worker(app).run_maintenance_tasks()
    assert len(_scheduled(app)) == len(every_minute)


def test_a_worker_that_redis_refuses_ends_with_one_line(app, redis, every_minute, caplog):
    before = redis.config_get("maxmemory")["maxmemory"]
    redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(SystemExit) as end:
            jobs.run_worker(app)
    finally:
        redis.config_set("maxmemory", before)
    assert end.value.code == 1
    (record,) = caplog.records
    assert "the worker cannot begin" in record.message
    assert record.exc_info is None
