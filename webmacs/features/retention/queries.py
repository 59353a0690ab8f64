"""Reads of retention: what is kept, what is held, what would go."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import func, select

from webmacs.core import clock
from webmacs.core.db import db
from webmacs.core.errors import NotFound
from webmacs.core.identity import Actor
from webmacs.core.paging import Page, PageQuery, paginate
from webmacs.core.permissions import Can, authorize
from webmacs.features.datapoints.models import Span, datapoints, rollups, span_events
from webmacs.features.datapoints.schemas import LAST
from webmacs.features.events import queries as events
from webmacs.features.events.models import Event
from webmacs.features.retention.decide import DAY, Held, Keep, Range, cutoffs, free
from webmacs.features.retention.models import ChannelRetention, RetentionPolicy, RetentionRun
from webmacs.features.retention.schemas import ChannelPolicyOut, GoingOut, PolicyOut, PreviewOut

_t, _r = datapoints.c, rollups.c


def policy(actor: Actor) -> PolicyOut:
    """What the organization keeps; everything for ever unless it says otherwise."""
    authorize(actor, Can.READ)
    found = db.session.get(RetentionPolicy, actor.organization_id)
    return PolicyOut.model_validate(found) if found else PolicyOut(raw_days=None, rollup_days=None)


def channel_policy(actor: Actor, event_public_id: str) -> ChannelPolicyOut:
    """What is kept of one channel."""
    event = events.get(actor, event_public_id)
    own = db.session.get(ChannelRetention, event.id)
    kept = own or policy(actor)
    return ChannelPolicyOut(
        event_public_id=event_public_id,
        is_own=own is not None,
        raw_days=kept.raw_days,
        rollup_days=kept.rollup_days,
    )


def keeps(actor: Actor) -> dict[int, Keep]:
    """What is kept of each channel of the organization, by its internal id."""
    whole = policy(actor)
    own = {
        row.event_id: Keep(row.raw_days, row.rollup_days)
        for row in db.session.scalars(
            select(ChannelRetention).where(ChannelRetention.organization_id == actor.organization_id)
        )
    }
    default = Keep(whole.raw_days, whole.rollup_days)
    return {event.id: own.get(event.id, default) for event in events.everything(actor)}


def held(organization_id: int | None, *, lock: bool = False) -> list[Held]:
    """What must stay, of one organization or (None) of all.

    With `lock` nobody can put another experiment on hold before the transaction ends.
    """
    spans = select(Span).order_by(Span.id)
    if organization_id is not None:
        spans = spans.where(Span.organization_id == organization_id)
    if lock:
        spans = spans.with_for_update(read=True).execution_options(populate_existing=True)
    found = [span for span in db.session.scalars(spans) if span.is_held]
    scopes: dict[int, set[int]] = {}
    of_these = select(span_events).where(span_events.c.span_id.in_([span.id for span in found]))
    for span_id, event_id in db.session.execute(of_these):
        scopes.setdefault(span_id, set()).add(event_id)
    return [
        Held(
            span.started_us,
            LAST if span.stopped_us is None else span.stopped_us + 1,
            frozenset(scopes.get(span.id, ())) if span.is_scoped else None,
        )
        for span in found
    ]


class Going(NamedTuple):
    """How far the points and the rollups of a channel may go."""

    points: list[Range]
    rollups: list[Range]


def going(event_id: int, keep: Keep, holds: Sequence[Held], now: int) -> Going:
    """The stretches whose points and whose rollups may go."""
    raw, rolled = cutoffs(keep, now)
    whole_days = ((-(-low // DAY) * DAY, high // DAY * DAY) for low, high in free(rolled, holds, event_id))
    return Going(free(raw, holds, event_id), [(low, high) for low, high in whole_days if low < high])


def count_points(event_id: int, low: int, high: int) -> tuple[int, int | None]:
    """How many points lie in low ≤ ts < high, and when the first was taken."""
    chosen = select(func.count(), func.min(_t.ts)).where(_t.event_id == event_id, _t.ts >= low, _t.ts < high)
    count, oldest = db.session.execute(chosen).one()
    return count, oldest


def count_rollups(event_id: int, low: int, high: int) -> int:
    """How many rollups begin in [low, high)."""
    chosen = select(func.count()).where(_r.event_id == event_id, _r.start >= low, _r.start < high)
    return db.session.scalar(chosen) or 0


def preview(actor: Actor) -> PreviewOut:
    """What a run would delete now, by channel; nothing is deleted."""
    authorize(actor, Can.MANAGE_RETENTION)
    kept, holds, now = keeps(actor), held(actor.organization_id), clock.to_micros(clock.now())
    channels = []
    for event in events.everything(actor):
        wanted = going(event.id, kept[event.id], holds, now)
        counts = [count_points(event.id, *stretch) for stretch in wanted.points]
        points, oldest = (
            sum(count for count, _ in counts),
            min((ts for _, ts in counts if ts is not None), default=None),
        )
        rolled = sum(count_rollups(event.id, *stretch) for stretch in wanted.rollups)
        if points or rolled:
            first = None if oldest is None else clock.from_micros(oldest)
            channels.append(
                GoingOut(event_public_id=event.public_id, name=event.name, points=points, oldest=first, rollups=rolled)
            )
    total, rolled = sum(one.points for one in channels), sum(one.rollups for one in channels)
    return PreviewOut(points=total, rollups=rolled, channels=channels)


def runs(actor: Actor, query: PageQuery) -> Page[RetentionRun]:
    """The runs, newest first."""
    authorize(actor, Can.READ)
    mine = select(RetentionRun).where(RetentionRun.organization_id == actor.organization_id)
    return paginate(mine.order_by(RetentionRun.created_on.desc(), RetentionRun.id.desc()), query)


def run(actor: Actor, public_id: str) -> RetentionRun:
    """One run."""
    authorize(actor, Can.READ)
    found = db.session.scalar(
        select(RetentionRun).where(
            RetentionRun.organization_id == actor.organization_id, RetentionRun.public_id == public_id
        )
    )
    if found is None:
        raise NotFound("Retention run", public_id)
    return found


def every_organization() -> list[int]:
    """All organizations that have channels."""
    return list(db.session.scalars(select(Event.organization_id).distinct()))


def organizations() -> list[int]:
    """The organizations that let anything go."""
    p, c = RetentionPolicy, ChannelRetention
    limited = select(p.organization_id).where(p.raw_days.is_not(None))
    return sorted(db.session.scalars(limited.union(select(c.organization_id).where(c.raw_days.is_not(None)))))


class OwnPolicy(NamedTuple):
    """A channel with a policy of its own."""

    event_public_id: str
    name: str
    raw_days: int | None
    rollup_days: int | None


def own_policies(actor: Actor) -> list[OwnPolicy]:
    """The channels that do not follow the organization, by name."""
    authorize(actor, Can.READ)
    c = ChannelRetention
    own = (
        select(Event.public_id, Event.name, c.raw_days, c.rollup_days)
        .join(c, c.event_id == Event.id)
        .where(Event.organization_id == actor.organization_id)
    )
    return [OwnPolicy(*row) for row in db.session.execute(own.order_by(Event.name, Event.id))]
