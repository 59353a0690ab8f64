"""Every change of retention: what is to be kept, and the runs that delete the rest in small steps."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import delete, func, select, text

from webmacs.core import clock, work
from webmacs.core.db import affected, db, driver, emit, is_sqlite
from webmacs.core.errors import Conflict
from webmacs.core.identity import Actor, system
from webmacs.core.ids import new_id
from webmacs.core.permissions import Can, authorize
from webmacs.features.datapoints import rollups
from webmacs.features.datapoints.models import datapoints, raw_from
from webmacs.features.datapoints.store import BLOCK, partitions
from webmacs.features.datapoints.store.partitions import Partition
from webmacs.features.events import queries as events
from webmacs.features.logs import operations as logs
from webmacs.features.retention import queries
from webmacs.features.retention.decide import cutoffs
from webmacs.features.retention.facts import RetentionRequested
from webmacs.features.retention.models import ChannelRetention, RetentionPolicy, RetentionRun
from webmacs.features.retention.schemas import ChannelPolicyOut, PolicyIn, PolicyOut

STEP_ROWS = 5_000  # points of one transaction: others wait for it

_t = datapoints.c


def set_policy(actor: Actor, wish: PolicyIn) -> PolicyOut:
    """Say what the organization keeps."""
    authorize(actor, Can.MANAGE_RETENTION)
    db.session.merge(RetentionPolicy(organization_id=actor.organization_id, **wish.model_dump()))
    db.session.flush()
    return queries.policy(actor)


def set_channel_policy(actor: Actor, event_public_id: str, wish: PolicyIn) -> ChannelPolicyOut:
    """Say what is kept of one channel, whatever its organization says."""
    authorize(actor, Can.MANAGE_RETENTION)
    event = events.get(actor, event_public_id)
    db.session.merge(ChannelRetention(event_id=event.id, organization_id=actor.organization_id, **wish.model_dump()))
    db.session.flush()
    return queries.channel_policy(actor, event_public_id)


def follow(actor: Actor, event_public_id: str) -> ChannelPolicyOut:
    """Let a channel follow its organization again."""
    authorize(actor, Can.MANAGE_RETENTION)
    event = events.get(actor, event_public_id)
    db.session.execute(delete(ChannelRetention).where(ChannelRetention.event_id == event.id))
    db.session.expire_all()
    return queries.channel_policy(actor, event_public_id)


def request(actor: Actor) -> RetentionRun:
    """Ask for a run now; a job carries it out. One that waits or is under way is enough (409)."""
    authorize(actor, Can.MANAGE_RETENTION)
    mine = (RetentionRun.organization_id == actor.organization_id, RetentionRun.state.in_(work.OPEN))
    if db.session.scalar(select(RetentionRun.id).where(*mine).limit(1)) is not None:
        raise Conflict("A run is waiting or under way already.")
    run = RetentionRun(
        public_id=new_id("ret"),
        organization_id=actor.organization_id,
        user_id=actor.user_id,
        state="queued",
        created_on=clock.now(),
        rollups=0,
    )
    db.session.add(run)
    db.session.flush()
    emit(RetentionRequested(actor.organization_id, run.public_id))
    return run


# --- what its job does ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """A run that a job has claimed, in plain values."""

    token: str
    actor: Actor
    channels: dict[int, str]  # internal id → name


class Gone(NamedTuple):
    """What one step deleted, and whether it was the last of its channel."""

    points: int
    rollups: int
    is_last: bool


def claim(public_id: str) -> Task | None:
    """Take a run to carry it out; None when it is not free (any more)."""
    token = work.claim(RetentionRun, public_id)
    if token is None:
        return None
    run = db.session.scalars(select(RetentionRun).where(RetentionRun.public_id == public_id)).one()
    actor = system(run.organization_id)
    return Task(token, actor, {event.id: event.name for event in events.everything(actor)})


def shrink(actor: Actor, event_id: int) -> Gone:
    """One step of one channel: delete at most STEP_ROWS points, or its rollups once no point is left to delete.

    What is kept and held is read anew in each step, and nobody can put anything on hold before the step is over.
    """
    authorize(actor, Can.MANAGE_RETENTION)
    holds = queries.held(actor.organization_id, lock=True)
    keep = queries.keeps(actor).get(event_id)
    if keep is None or keep.raw_days is None:
        return Gone(0, 0, True)
    now = clock.to_micros(clock.now())
    wanted, until = queries.going(event_id, keep, holds, now), None
    for low, high in wanted.points:
        if _has_points(event_id, low, high):
            until = _let_go(event_id, cutoffs(keep, now)[0]) if until is None else until
            gone = _delete_points(event_id, low, min(high, until))
            if gone:
                return Gone(gone, 0, False)
    known = _raw_from(event_id)
    rolled = 0
    for low, high in wanted.rollups:
        if count := queries.count_rollups(event_id, low, min(high, known)):
            rollups.forget([event_id], low, min(high, known))
            rolled += count
    return Gone(0, rolled, True)


def _has_points(event_id: int, low: int, high: int) -> bool:
    some = select(_t.ts).where(_t.event_id == event_id, _t.ts >= low, _t.ts < high).limit(1)
    return db.session.scalar(some) is not None


def _raw_from(event_id: int) -> int:
    return db.session.scalar(select(raw_from.c.ts).where(raw_from.c.event_id == event_id)) or 0


def _let_go(event_id: int, until: int) -> int:
    """How far the points may go: the rollups tell the truth up to there, and know that the points are gone."""
    known = _raw_from(event_id)
    return known if known >= until // BLOCK * BLOCK else rollups.let_go(event_id, until)


def _delete_points(event_id: int, low: int, high: int) -> int:
    within = (_t.event_id == event_id, _t.ts >= low, _t.ts < high)
    edge = db.session.scalar(select(_t.ts).where(*within).order_by(_t.ts).offset(STEP_ROWS).limit(1))
    stop = high if edge is None else edge
    return affected(delete(datapoints).where(_t.event_id == event_id, _t.ts >= low, _t.ts < stop))


def progress(task: Task, **values: int) -> bool:
    """Write down how far the run is; False when it is another's now."""
    return work.beat(RetentionRun, task.token, **values)


def settle(task: Task, state: str, points: Mapping[int, int], rolled: int, error: str | None = None) -> None:
    """End a run, and enter it in the log book when it deleted something or failed."""
    authorize(task.actor, Can.MANAGE_RETENTION)
    detail = json.dumps({task.channels.get(event_id, "deleted"): count for event_id, count in points.items() if count})
    total = sum(points.values())
    work.settle(RetentionRun, task.token, state, rows_done=total, rollups=rolled, detail=detail, error=error)
    if total or rolled or error:
        ending = "" if error is None else " It broke off; the server's log tells more."
        logs.note(task.actor.organization_id, f"Retention deleted {total:,} values and {rolled:,} rollups.{ending}")


def left_behind() -> list[str]:
    """The runs that nobody is at."""
    return list(work.left_behind(RetentionRun))


# --- whole partitions of PostgreSQL -----------------------------------------------------------------------------------


def settled(actor: Actor) -> list[Partition]:
    """The partitions that ended long enough ago to be dropped as a whole; none on SQLite."""
    authorize(actor, Can.MANAGE_RETENTION)
    return [] if is_sqlite() else [p for p in partitions.listed(driver()) if partitions.is_settled(p)]


def drop(actors: Mapping[int, Actor], partition: Partition) -> dict[int, dict[int, int]] | None:
    """Drop a partition when every channel that has points in it allows that and nothing in it is held.

    `actors` are those of all organizations. Returns organization → channel → points; None when something must stay.
    Raises OperationalError when somebody uses the table for longer than a moment, and `Conflict` when a late value came
    in the meantime: then its points go in steps.
    """
    for actor in actors.values():
        authorize(actor, Can.MANAGE_RETENTION)
    if any(one.start < partition.stop and partition.start < one.stop for one in queries.held(None, lock=True)):
        return None
    limits, owners = _limits(actors)
    staying = [event_id for event_id, limit in limits.items() if limit < partition.stop]
    if _have_points(staying, partition):
        return None
    within = (_t.ts >= partition.start, _t.ts < partition.stop)
    rows = db.session.execute(select(_t.event_id, func.count()).where(*within).group_by(_t.event_id))
    # what nobody owns any more belonged to channels that are gone
    counts: dict[int, int] = {event_id: count for event_id, count in rows if event_id in owners}
    if any(_let_go(event_id, limits[event_id]) < partition.stop for event_id in counts):
        return None
    # shorter than PostgreSQL takes to look for a deadlock: it is never a writer that gives way
    db.session.execute(text("SET LOCAL lock_timeout = '800ms'"))
    db.session.execute(text(f'LOCK TABLE ONLY datapoints, ONLY "{partition.name}"'))
    if _have_points(staying, partition):
        raise Conflict("Somebody wrote into it.")
    db.session.execute(text(f'DROP TABLE "{partition.name}"'))
    found: dict[int, dict[int, int]] = {}
    for event_id, count in counts.items():
        found.setdefault(owners[event_id], {})[event_id] = count
    return found


def _limits(actors: Mapping[int, Actor]) -> tuple[dict[int, int], dict[int, int]]:
    """Until when the points of each channel may go, and the organization that it belongs to."""
    now = clock.to_micros(clock.now())
    limits, owners = {}, {}
    for organization_id, actor in actors.items():
        for event_id, keep in queries.keeps(actor).items():
            limits[event_id], owners[event_id] = cutoffs(keep, now)[0], organization_id
    return limits, owners


def _have_points(event_ids: Iterable[int], partition: Partition) -> bool:
    return any(_has_points(event_id, partition.start, partition.stop) for event_id in event_ids)
