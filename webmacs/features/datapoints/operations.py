"""Every change to datapoints: recording has one verb, whatever door the values came through."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, func, insert, select

from webmacs.core import clock
from webmacs.core.db import db, emit, upsert
from webmacs.core.errors import Conflict, NotFound
from webmacs.core.identity import Actor
from webmacs.core.permissions import Can, authorize
from webmacs.features.datapoints import queries
from webmacs.features.datapoints.decide import without
from webmacs.features.datapoints.facts import DatapointsRecorded, Point
from webmacs.features.datapoints.models import Span, datapoints, latest_datapoints, span_events
from webmacs.features.datapoints.schemas import LAST
from webmacs.features.events import queries as events
from webmacs.features.events.models import Event

UNKNOWN = "unknown event"
NOT_FINITE = "value is not a finite number"
NOT_ENABLED = "event is not linked to an enabled plugin instance"


class Reading(NamedTuple):
    """One value on its way in; `ts` in microseconds since 1970 UTC, None for the server's clock."""

    event_public_id: str
    value: float
    ts: int | None = None


@dataclass
class Recorded:
    """What became of a batch: the accepted points, and index → reason of the rest."""

    accepted: list[Point] = field(default_factory=list)
    rejected: dict[int, str] = field(default_factory=dict)


def record(actor: Actor, batch: Sequence[Reading]) -> Recorded:
    """Record a batch. A bad item never spoils the others; (event, time) that is known already changes nothing."""
    authorize(actor, Can.RECORD)
    result = Recorded()
    known = events.by_public_ids(actor, {reading.event_public_id for reading in batch})
    timed: list[Point] = []
    untimed: list[Point] = []
    now = clock.to_micros(clock.now())
    for index, reading in enumerate(batch):
        event = known.get(reading.event_public_id)
        reason = _refusal(event, reading.value)
        if reason is not None or event is None:
            result.rejected[index] = reason or UNKNOWN
        elif reading.ts is not None:
            timed.append(Point(event.id, event.public_id, reading.ts, reading.value))
        else:
            # values without a time keep their order: each one microsecond after the other
            untimed.append(Point(event.id, event.public_id, now + len(untimed), reading.value))
    counted = _insert(timed)
    placed = _insert_at_free_moments(untimed)
    result.accepted = timed + placed
    if result.accepted:
        _keep_latest(counted + placed)
        emit(DatapointsRecorded(actor.organization_id, tuple(counted + placed)))
    return result


def record_one(actor: Actor, reading: Reading) -> Point:
    """Record a single value; what a batch would reject is refused here."""
    result = record(actor, [reading])
    if result.accepted:
        return result.accepted[0]
    if result.rejected[0] == UNKNOWN:
        raise NotFound("Event")
    raise Conflict(f"The {result.rejected[0]}.")


def _refusal(event: Event | None, value: float) -> str | None:
    if event is None:
        return UNKNOWN
    if not math.isfinite(value):
        return NOT_FINITE
    return None if event.is_accepting else NOT_ENABLED


def _rows(points: Iterable[Point]) -> list[dict[str, float]]:
    # sorted: two batches that lock rows in the same order cannot deadlock
    return [{"event_id": p.event_id, "ts": p.ts, "value": p.value} for p in sorted(points)]


def _insert(points: list[Point]) -> list[Point]:
    """Insert points of given times; of several for one channel and time the first counts. Returns those that count."""
    first: dict[tuple[int, int], Point] = {}
    for point in points:
        first.setdefault((point.event_id, point.ts), point)
    if first:
        db.session.execute(upsert(datapoints).on_conflict_do_nothing(), _rows(first.values()))
    return list(first.values())


def _insert_at_free_moments(points: list[Point]) -> list[Point]:
    """Insert points whose time is ours to choose: where it is taken already they move on until it is free."""
    placed: list[Point] = []
    while points:
        statement = upsert(datapoints).on_conflict_do_nothing().returning(datapoints.c.event_id, datapoints.c.ts)
        rows = _rows(points)
        done = {tuple(row) for row in db.session.execute(statement.values(rows))}
        placed += [p for p in points if (p.event_id, p.ts) in done]
        points = [p._replace(ts=p.ts + len(rows)) for p in points if (p.event_id, p.ts) not in done]
    return placed


def _keep_latest(points: Iterable[Point]) -> None:
    newest: dict[int, Point] = {}
    for point in points:
        if point.event_id not in newest or point.ts >= newest[point.event_id].ts:
            newest[point.event_id] = point
    statement = upsert(latest_datapoints)
    offered = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=["event_id"],
        set_={"ts": offered.ts, "value": offered.value},
        where=latest_datapoints.c.ts < offered.ts,
    )
    db.session.execute(statement, _rows(newest.values()))


def remove(actor: Actor, datapoint_id: str) -> None:
    """Delete one datapoint."""
    authorize(actor, Can.DELETE_DATAPOINTS)
    event, ts = queries.locate(actor, datapoint_id)
    gone = db.session.execute(delete(datapoints).where(datapoints.c.event_id == event.id, datapoints.c.ts == ts))
    if gone.rowcount == 0:  # type: ignore[attr-defined]
        raise NotFound("Datapoint", datapoint_id)
    _find_latest_again([event.id])


def forget_event(event_id: int) -> None:
    """Delete everything that was recorded for a channel that is being deleted."""
    db.session.execute(delete(datapoints).where(datapoints.c.event_id == event_id))
    db.session.execute(delete(latest_datapoints).where(latest_datapoints.c.event_id == event_id))


def _find_latest_again(event_ids: Sequence[int]) -> None:
    db.session.execute(delete(latest_datapoints).where(latest_datapoints.c.event_id.in_(event_ids)))
    d = datapoints.alias()
    newest = (
        select(func.max(d.c.ts)).where(d.c.event_id == datapoints.c.event_id).correlate(datapoints).scalar_subquery()
    )
    rows = select(datapoints.c.event_id, datapoints.c.ts, datapoints.c.value).where(
        datapoints.c.event_id.in_(event_ids), datapoints.c.ts == newest
    )
    db.session.execute(insert(latest_datapoints).from_select(["event_id", "ts", "value"], rows))


# --- spans: the stretches of time that higher features give a name ----------------------------------------------------


def open_span(organization_id: int, public_id: str, scope: Sequence[int] | None) -> Span:
    """Open a span now, for the channels in `scope` (internal ids) or for all."""
    span = Span(
        public_id=public_id,
        organization_id=organization_id,
        started_us=clock.to_micros(clock.now()),
        is_scoped=scope is not None,
    )
    db.session.add(span)
    db.session.flush()
    if scope:
        db.session.execute(insert(span_events), [{"span_id": span.id, "event_id": event_id} for event_id in scope])
    return span


def close_span(span: Span, moment: datetime) -> None:
    """Close an open span."""
    span.stopped_us = clock.to_micros(moment)
    db.session.flush()


def remove_span(actor: Actor, span: Span, *, with_datapoints: bool) -> None:
    """Delete a span; with its datapoints only those go that belong to no other span."""
    if with_datapoints:
        _delete_exclusive(actor, span)
    db.session.execute(delete(Span).where(Span.id == span.id))


def _delete_exclusive(actor: Actor, span: Span) -> None:
    mine = queries.stretch(actor, span.public_id)
    if mine is None:
        return
    stop = LAST if mine.stop is None else mine.stop
    others = [other for other in queries.stretches(actor, mine.start, stop) if other.public_id != mine.public_id]
    ids = [event.id for event in events.everything(actor) if mine.event_ids is None or event.id in mine.event_ids]
    by_intervals: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for event_id in ids:
        by_intervals.setdefault(tuple(without(mine.start, stop, others, event_id)), []).append(event_id)
    t = datapoints.c
    for intervals, event_ids in by_intervals.items():
        for low, high in intervals:
            chosen = (t.event_id.in_(event_ids), t.ts >= low, t.ts <= high)
            db.session.execute(delete(datapoints).where(*chosen))
    _find_latest_again(ids)
