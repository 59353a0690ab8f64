"""Every change to datapoints: recording has one verb, whatever door the values came through."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from sqlalchemy import Select, delete, exists, func, insert, select

from webmacs.core import clock
from webmacs.core.db import db, driver, emit, note
from webmacs.core.errors import Conflict, NotFound
from webmacs.core.identity import Actor
from webmacs.core.permissions import Can, authorize
from webmacs.core.trail import Change
from webmacs.features.datapoints import queries, rollups, store
from webmacs.features.datapoints.admit import UNKNOWN, Channel, Given, Reading, admit, moments, taken_from
from webmacs.features.datapoints.decide import without
from webmacs.features.datapoints.facts import DatapointsRecorded
from webmacs.features.datapoints.models import Span, datapoints, latest_datapoints, span_events
from webmacs.features.datapoints.schemas import LAST
from webmacs.features.datapoints.store import Columns, Point, Row
from webmacs.features.datapoints.store.base import newest
from webmacs.features.events import queries as events
from webmacs.features.events.schemas import OUTPUTS

TOLD_ONE_BY_ONE = 1_000  # rows of a batch; of a larger one each channel's newest


@dataclass
class Recorded:
    """What became of a batch: the accepted rows, and index → reason of the rest."""

    accepted: list[Point] = field(default_factory=list)
    rejected: dict[int, str] = field(default_factory=dict)


def record(actor: Actor, batch: Sequence[Given], can: Can = Can.RECORD) -> Recorded:
    """Record a batch. A bad item never spoils the others; (event, time) that is known already changes nothing.

    `can` is the right by which the values come in.
    """
    authorize(actor, can)
    channels = _channels(actor, {name for name, _, _ in batch}, can)
    admitted = admit(batch, channels, moments)
    if not admitted.timed and not admitted.untimed:
        return Recorded([], admitted.rejected)
    with store.engine_at({row[0] for rows in (admitted.timed, admitted.untimed) for row in rows}):
        placed = store.of(db.engine.dialect.name).write(driver(), admitted.timed, admitted.untimed)
    names = {channel.event_id: name for name, channel in channels.items()}
    rows = [*admitted.timed, *placed]
    emit(
        DatapointsRecorded(actor.organization_id, rows if len(rows) <= TOLD_ONE_BY_ONE else newest(sorted(rows)), names)
    )
    return Recorded(rows, admitted.rejected)


def _channels(actor: Actor, names: Collection[str], can: Can) -> Mapping[str, Channel]:
    """The channels of these public ids into which the actor may send values."""
    known = events.by_public_ids(actor, names, can)
    channels = {name: Channel(event.id, event.is_accepting, event.type in OUTPUTS) for name, event in known.items()}
    return taken_from(actor, channels)


def load(
    actor: Actor, names: Sequence[str], values: Sequence[float], moments: Sequence[int | None]
) -> tuple[int, dict[int, str]]:
    """Record thousands of values, given column by column: public ids, values, microseconds since 1970 UTC.

    As `record` does, without a look at each of them when there is nothing to refuse and all have a time of their own;
    returns the number of those that were accepted, and index → reason of the others.
    """
    authorize(actor, Can.RECORD)
    channels = _channels(actor, set(names), Can.RECORD)
    ids = {name: channel.event_id for name, channel in channels.items() if channel.is_accepting}
    is_plain = ids.keys() >= set(names) and None not in moments and math.isfinite(sum(values))
    if len(names) <= TOLD_ONE_BY_ONE or not is_plain:
        result = record(actor, list(zip(names, values, moments, strict=True)))
        return len(result.accepted), result.rejected
    columns = Columns([ids[name] for name in names], cast("Sequence[int]", moments), values)
    with store.engine_at(ids.values()):
        told = store.of(db.engine.dialect.name).load(driver(), columns)
    emit(DatapointsRecorded(actor.organization_id, told, {event_id: name for name, event_id in ids.items()}))
    return len(names), {}


def record_one(actor: Actor, reading: Reading, can: Can = Can.RECORD) -> Row:
    """Record a single value; what a batch would reject is refused here."""
    result = record(actor, [reading], can)
    if result.accepted:
        return Row(*result.accepted[0])
    if result.rejected[0] == UNKNOWN:
        raise NotFound("Event")
    raise Conflict(f"The {result.rejected[0]}.")


def remove(actor: Actor, datapoint_id: str) -> None:
    """Delete one datapoint."""
    authorize(actor, Can.DELETE_DATAPOINTS)
    event, ts = queries.locate(actor, datapoint_id)
    covering = _holds(actor.organization_id, event.id).where(
        Span.started_us <= ts, Span.stopped_us.is_(None) | (Span.stopped_us >= ts)
    )
    if db.session.scalar(covering.limit(1)) is not None:
        raise Conflict("The datapoint belongs to an experiment that is on hold.")
    rollups.mark_stale([event.id], ts, ts + 1)
    gone = delete(datapoints).where(datapoints.c.event_id == event.id, datapoints.c.ts == ts)
    value = db.session.scalar(gone.returning(datapoints.c.value))
    if value is None:
        raise NotFound("Datapoint", datapoint_id)
    known = {"organization_id": event.organization_id, "public_id": datapoint_id, "name": event.name}
    note(Change(None, "deleted", known, {"value": value, "ts_us": ts}, {}, "datapoint"))
    _find_latest_again([event.id])


def forget_event(event_id: int) -> None:
    """Delete everything that was recorded for a channel that is being deleted."""
    rollups.forget([event_id])
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


def hold_span(span: Span, is_held: bool) -> None:
    """Put the datapoints of a span on hold, or release them."""
    span.is_held = is_held
    db.session.flush()


def check_hold(organization_id: int, event_id: int) -> None:
    """Raise `Conflict` when a channel has datapoints that are on hold."""
    last = func.coalesce(Span.stopped_us, LAST)
    t = datapoints.c
    inside = exists().where(t.event_id == event_id, t.ts >= Span.started_us, t.ts <= last).correlate(Span)
    if db.session.scalar(_holds(organization_id, event_id).where(inside).limit(1)) is not None:
        raise Conflict("It has values of an experiment that is on hold: release that first.")


def _holds(organization_id: int, event_id: int) -> Select[int]:
    mine = exists().where(span_events.c.span_id == Span.id, span_events.c.event_id == event_id).correlate(Span)
    return select(Span.id).where(Span.organization_id == organization_id, Span.is_held, ~Span.is_scoped | mine)


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
            rollups.mark_stale(event_ids, low, high + 1)
            chosen = (t.event_id.in_(event_ids), t.ts >= low, t.ts <= high)
            db.session.execute(delete(datapoints).where(*chosen))
    _find_latest_again(ids)
