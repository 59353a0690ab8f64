"""Retention in the background: once a day, or when somebody asks for it."""

import logging
from collections import Counter

from flask import current_app

from webmacs.core import jobs, outage, work
from webmacs.core.db import transaction
from webmacs.core.errors import Conflict, Unavailable
from webmacs.core.identity import system
from webmacs.core.tenancy import enter
from webmacs.features.retention import operations, queries
from webmacs.features.retention.facts import RetentionRequested
from webmacs.features.retention.operations import Task

BROKEN = "Something broke; the server's log tells more."

log = logging.getLogger(__name__)


def check_worker() -> None:
    """Raise `Unavailable` on an installation that cannot have a worker."""
    if not current_app.config["REDIS_URL"]:
        raise Unavailable("Retention is carried out by the worker, which needs REDIS_URL.")


def ring(fact: RetentionRequested) -> None:
    """Wake the worker for a run."""
    jobs.enqueue(carry_out, fact.public_id, limit=None)


def daily() -> None:
    """Ask for a run in each organization that lets anything go."""
    with transaction(write=False):
        wanted = queries.organizations()
    for organization_id in wanted:
        try:
            with transaction():
                operations.request(system(organization_id))
        except Conflict:
            log.info("the retention of organization %s is under way already", organization_id)


def sweep() -> None:
    """Ring again for runs that were left behind."""
    with transaction():
        waiting = operations.left_behind()
    for public_id in waiting:
        jobs.enqueue(carry_out, public_id, limit=None)


def carry_out(public_id: str) -> None:
    """Carry a run out, unless another job is at it or it is over."""
    with transaction():
        task = operations.claim(public_id)
    if task is None:
        return
    gone: Counter[int] = Counter()
    rolled = 0

    def fail(sentence: str) -> None:
        operations.settle(task, "failed", gone, rolled, sentence)

    with work.carried_out(public_id, fail, BROKEN):
        gone.update(_drop(task))
        for event_id in task.channels:
            is_last = False
            while not is_last:
                with transaction():
                    enter(task.actor.organization_id)
                    points, rollups, is_last = operations.shrink(task.actor, event_id)
                    gone[event_id] += points
                    rolled += rollups
                    if not operations.progress(task, rows_done=sum(gone.values()), rollups=rolled):
                        raise work.UnwantedError
        with transaction():
            operations.settle(task, "done", gone, rolled)


def _drop(task: Task) -> dict[int, int]:
    """Drop the partitions of which nobody keeps anything; the points of this run's organization that went with them."""
    gone: Counter[int] = Counter()
    with transaction(write=False):
        actors = {organization_id: system(organization_id) for organization_id in queries.every_organization()}
        old = operations.settled(task.actor)
    for partition in old:
        try:
            with transaction():
                dropped = operations.drop(actors, partition)
        except (*outage.AWAY, Conflict) as busy:
            if not isinstance(busy, Conflict) and not outage.is_away(busy):
                raise
            log.info("%s is in use and stays for now: %s", partition.name, busy)
            continue
        gone.update((dropped or {}).get(task.actor.organization_id, {}))
    return dict(gone)
