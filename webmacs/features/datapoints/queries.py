"""Reads of datapoints. History is read in slices of time, so that cost and memory follow what is shown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from sqlalchemy import BigInteger, Connection, case, func, literal, select

from webmacs.core import clock
from webmacs.core.db import db
from webmacs.core.errors import Invalid, NotFound
from webmacs.core.identity import Actor
from webmacs.core.permissions import Can, authorize
from webmacs.features.datapoints.decide import Sample, Stretch, lttb, minmax, stretch_of, stride_indices
from webmacs.features.datapoints.models import Span, datapoints, latest_datapoints, span_events
from webmacs.features.datapoints.schemas import LAST, DatapointFilter, SeriesIn
from webmacs.features.events import queries as events
from webmacs.features.events.models import Event

SLICE_ROWS = 5_000  # rows that one slice aims for
FIRST_WIDTH = 1_000_000  # microseconds of the first slice
EXACT_ROWS = 20_000  # up to here uniform sampling counts rows, beyond it steps through time

_t = datapoints.c


class Datapoint(NamedTuple):
    """A datapoint as it is shown."""

    public_id: str
    value: float
    timestamp: datetime
    event_public_id: str
    experiment_public_id: str | None


@dataclass(frozen=True)
class Listing:
    """One page of datapoints; `next_cursor` is None on the last one."""

    page: int
    page_size: int
    total: int
    data: list[Datapoint]
    next_cursor: str | None


def public_id(event_public_id: str, ts: int) -> str:
    """The id of the datapoint of this channel at this time: derived, never stored."""
    return f"dpt_{event_public_id.removeprefix('evt_')}_{ts:014x}"


def parse_public_id(text: str) -> tuple[str, int] | None:
    """The inverse of `public_id`: (event's public id, microseconds), None when it is none of ours."""
    prefix, _, stamp = text.rpartition("_")
    event_public_id = f"evt_{prefix.removeprefix('dpt_')}"
    try:
        ts = int(stamp, 16)
    except ValueError:
        return None
    # one spelling for each: int() also takes capitals, signs and blanks
    return (event_public_id, ts) if text == public_id(event_public_id, ts) else None


# --- history in slices ------------------------------------------------------------------------------------------------


def scan(
    connection: Connection, event_ids: Sequence[int], start: int, stop: int, *, descending: bool = False
) -> Iterator[tuple[int, int, float]]:
    """(event id, ts, value) of the channels with start ≤ ts < stop in order of (ts, event id).

    The slices adapt to the density of the data and jump over gaps; at most a few thousand rows are held at a time.
    """
    width, low, high = FIRST_WIDTH, start, stop
    while low < high and event_ids:
        begin, end = (max(low, high - width), high) if descending else (low, min(high, low + width))
        rows, is_cut = _slice(connection, event_ids, begin, end, descending)
        yield from rows
        if is_cut:
            width = max(1, width // 8)
            reached = rows[-1][1]
            low, high = (low, reached) if descending else (reached + 1, high)
            continue
        low, high = (low, begin) if descending else (end, high)
        if not rows:
            found = _nearest(connection, event_ids, low, high, descending)
            if found is None:
                return
            low, high = (low, found + 1) if descending else (found, high)
        if len(rows) < SLICE_ROWS // 2:
            width *= 4


def _slice(
    connection: Connection, event_ids: Sequence[int], begin: int, end: int, descending: bool
) -> tuple[list[tuple[int, int, float]], bool]:
    """The rows of one slice, and whether it held more than we take at once (then they end with a complete moment)."""
    order = (_t.ts.desc(), _t.event_id.desc()) if descending else (_t.ts, _t.event_id)
    wanted = select(_t.event_id, _t.ts, _t.value).where(_t.event_id.in_(event_ids), _t.ts >= begin, _t.ts < end)
    limit = 4 * SLICE_ROWS + len(event_ids)
    rows = [tuple(row) for row in connection.execute(wanted.order_by(*order).limit(limit))]
    if len(rows) < limit:
        return rows, False
    while rows[-1][1] == rows[-2][1]:
        rows.pop()
    rows.pop()  # the last moment may be incomplete: the next slice begins with it
    return rows, True


def _nearest(connection: Connection, event_ids: Sequence[int], low: int, high: int, descending: bool) -> int | None:
    """The next moment that has a row: one index seek for each channel."""
    pick = func.max if descending else func.min
    seek = select(pick(_t.ts)).where(_t.event_id == Event.id, _t.ts >= low, _t.ts < high).scalar_subquery()
    found = select(seek.label("ts")).where(Event.id.in_(event_ids)).subquery()
    nearest: int | None = connection.scalar(select(pick(found.c.ts)))
    return nearest


# --- spans ------------------------------------------------------------------------------------------------------------


def stretches(actor: Actor, start: int = 0, stop: int = LAST) -> list[Stretch]:
    """The spans that touch this stretch of time, latest-started first."""
    touching = select(Span).where(
        Span.organization_id == actor.organization_id,
        Span.started_us <= stop,
        (Span.stopped_us.is_(None)) | (Span.stopped_us >= start),
    )
    spans = db.session.scalars(touching.order_by(Span.started_us.desc(), Span.id.desc())).all()
    scopes: dict[int, set[int]] = {}
    scoped = [span.id for span in spans if span.is_scoped]
    if scoped:
        rows = db.session.execute(select(span_events).where(span_events.c.span_id.in_(scoped)))
        for span_id, event_id in rows:
            scopes.setdefault(span_id, set()).add(event_id)
    return [
        Stretch(s.public_id, s.started_us, s.stopped_us, frozenset(scopes.get(s.id, ())) if s.is_scoped else None)
        for s in spans
    ]


def stretch(actor: Actor, span_public_id: str) -> Stretch | None:
    """One span by its public id."""
    return next((s for s in stretches(actor) if s.public_id == span_public_id), None)


# --- what the edges ask -----------------------------------------------------------------------------------------------


def latest(actor: Actor) -> list[Datapoint]:
    """The newest datapoint of each channel that has any, in the order of the channels."""
    authorize(actor, Can.READ)
    newest = select(Event.id, Event.public_id, latest_datapoints.c.ts, latest_datapoints.c.value).join(
        latest_datapoints, latest_datapoints.c.event_id == Event.id
    )
    rows = db.session.execute(newest.where(Event.organization_id == actor.organization_id).order_by(Event.id)).all()
    known = stretches(actor, min((row.ts for row in rows), default=LAST))
    return [_shown(known, row.id, row.public_id, row.ts, row.value) for row in rows]


def last_moment() -> datetime | None:
    """When the newest datapoint of the whole installation was taken."""
    # a value that was on its way while its channel was deleted may have stayed behind: it counts for nothing
    ts = db.session.scalar(
        select(func.max(latest_datapoints.c.ts)).where(latest_datapoints.c.event_id.in_(select(Event.id)))
    )
    return None if ts is None else clock.from_micros(ts)


def _shown(known: list[Stretch], event_id: int, event_public_id: str, ts: int, value: float) -> Datapoint:
    return Datapoint(
        public_id(event_public_id, ts), value, clock.from_micros(ts), event_public_id, stretch_of(known, event_id, ts)
    )


def get(actor: Actor, datapoint_id: str) -> Datapoint:
    """One datapoint by its derived id."""
    authorize(actor, Can.READ)
    event, ts = locate(actor, datapoint_id)
    value = db.session.scalar(select(_t.value).where(_t.event_id == event.id, _t.ts == ts))
    if value is None:
        raise NotFound("Datapoint", datapoint_id)
    return _shown(stretches(actor, ts, ts), event.id, event.public_id, ts, value)


def locate(actor: Actor, datapoint_id: str) -> tuple[Event, int]:
    """Channel and time that a derived id stands for."""
    parsed = parse_public_id(datapoint_id)
    event = events.by_public_ids(actor, [parsed[0]]).get(parsed[0]) if parsed else None
    if parsed is None or event is None:
        raise NotFound("Datapoint", datapoint_id)
    return event, parsed[1]


def find(actor: Actor, query: DatapointFilter) -> Listing:
    """Datapoints, newest first, by page or after a cursor."""
    authorize(actor, Can.READ)
    chosen, start, stop = _selection(actor, query)
    names = {event.id: event.public_id for event in chosen}
    total = _count(list(names), start, stop)
    skip, after = (query.page - 1) * query.page_size, None
    if query.cursor is not None:
        event, ts = _cursor(actor, query.cursor)
        skip, after, stop = 0, (ts, event.id), min(stop, ts + 1)
    rows = scan(db.session.connection(), list(names), start, stop, descending=True)
    if after is not None:
        rows = (row for row in rows if (row[1], row[0]) < after)
    elif skip >= total:
        rows = iter(())
    taken = list(islice(rows, skip, skip + query.page_size + 1))
    shown = taken[: query.page_size]
    known = stretches(actor, shown[-1][1], shown[0][1]) if shown else []
    data = [_shown(known, event_id, names[event_id], ts, value) for event_id, ts, value in shown]
    more = data[-1].public_id if len(taken) > query.page_size else None
    return Listing(query.page, query.page_size, total, data, more)


def _cursor(actor: Actor, text: str) -> tuple[Event, int]:
    try:
        return locate(actor, text)
    except NotFound:
        raise Invalid({"cursor": "This is not a cursor of this list."}) from None


def _selection(actor: Actor, query: DatapointFilter) -> tuple[Sequence[Event], int, int]:
    """The channels and the half-open stretch of time that a filter means."""
    start = clock.to_micros(query.start) if query.start else 0
    stop = clock.to_micros(query.stop) + 1 if query.stop else LAST
    chosen: Sequence[Event] = (
        [events.get(actor, query.event_public_id)] if query.event_public_id else events.everything(actor)
    )
    if query.experiment_public_id:
        run = stretch(actor, query.experiment_public_id)
        if run is None:
            raise NotFound("Experiment", query.experiment_public_id)
        chosen = [event for event in chosen if run.event_ids is None or event.id in run.event_ids]
        start, stop = max(start, run.start), min(stop, LAST if run.stop is None else run.stop + 1)
    return chosen, max(0, start), min(stop, LAST)


def _count(event_ids: Sequence[int], start: int, stop: int) -> int:
    if not event_ids:
        return 0
    clause = select(func.count()).where(_t.event_id.in_(event_ids), _t.ts >= start, _t.ts < stop)
    return db.session.scalar(clause) or 0


def count_of(actor: Actor, event_public_id: str) -> int:
    """How many datapoints a channel has."""
    return _count([events.get(actor, event_public_id).id], 0, LAST)


class Figures(NamedTuple):
    """What the values of a channel amount to in a stretch of time."""

    points: int
    lowest: float
    highest: float
    mean: float


def figures(event_ids: Sequence[int], start: int, stop: int) -> dict[int, Figures]:
    """Count, lowest, highest and mean of each channel with start ≤ ts < stop; channels without values are left out."""
    values = (func.count(), func.min(_t.value), func.max(_t.value), func.avg(_t.value))
    grouped = select(_t.event_id, *values).where(_t.event_id.in_(event_ids), _t.ts >= start, _t.ts < stop)
    rows = db.session.execute(grouped.group_by(_t.event_id)) if event_ids else ()
    return {row[0]: Figures(*row[1:]) for row in rows}


# --- series -----------------------------------------------------------------------------------------------------------


def series(actor: Actor, wish: SeriesIn) -> dict[str, list[Datapoint]]:
    """Thinned series of the last minutes, public id → points in order of time; an unknown id has none."""
    authorize(actor, Can.READ)
    stop = clock.to_micros(clock.now())
    start = stop - wish.minutes * 60_000_000
    found = events.by_public_ids(actor, wish.event_public_ids)
    known = stretches(actor, start)
    return {
        wanted: [
            _shown(known, event.id, wanted, ts, value)
            for ts, value in samples(event.id, start, LAST, wish.max_points, wish.downsample)
        ]
        if (event := found.get(wanted)) is not None
        else []
        for wanted in wish.event_public_ids
    }


def samples(event_id: int, start: int, stop: int, wanted: int, how: str) -> list[Sample]:
    """At most `wanted` samples with start ≤ ts < stop; all of them when there are not more."""
    window = select(_t.ts, _t.value).where(_t.event_id == event_id, _t.ts >= start, _t.ts < stop)
    few = [(row.ts, row.value) for row in db.session.execute(window.order_by(_t.ts).limit(wanted + 1))]
    if len(few) <= wanted:
        return few
    if how == "uniform" and not _exceeds(event_id, start, stop, EXACT_ROWS):
        return _strided(event_id, start, stop, wanted)
    first, last = few[0][0], _last(event_id, start, stop)
    if how == "uniform":
        return _sought(event_id, first, last, wanted)
    rows = ((ts, value) for _, ts, value in scan(db.session.connection(), [event_id], first, last + 1))
    if how == "minmax":
        return minmax(rows, first, last, wanted)
    # the extremes of four times as many stretches first: the triangles then cost nothing and lose no peak that matters
    return lttb(minmax(rows, first, last, 4 * wanted), wanted)


def _last(event_id: int, start: int, stop: int) -> int:
    """The time of the last sample of a window that has some."""
    newest = select(_t.ts).where(_t.event_id == event_id, _t.ts >= start, _t.ts < stop)
    ts: int = db.session.scalars(newest.order_by(_t.ts.desc()).limit(1)).one()
    return ts


def _exceeds(event_id: int, start: int, stop: int, rows: int) -> bool:
    """Whether the window holds more rows; reads no more than that many of the index."""
    some = select(_t.ts).where(_t.event_id == event_id, _t.ts >= start, _t.ts < stop).limit(rows + 1).subquery()
    return (db.session.scalar(select(func.count()).select_from(some)) or 0) > rows


def _sought(event_id: int, first: int, last: int, wanted: int) -> list[Sample]:
    """The first sample at or after each of `wanted` equal steps of time: one index seek for each of them.

    First and last are always there; a gap yields one sample, so there may be fewer than wanted.
    """
    step = (last - first) // (wanted - 1)
    steps = select(literal(0, BigInteger).label("i")).cte("steps", recursive=True)
    steps = steps.union_all(select(steps.c.i + 1).where(steps.c.i < wanted - 1))
    edge = case((steps.c.i == 0, first), else_=last - (wanted - 1 - steps.c.i) * step)
    d = datapoints.alias()
    nearest = select(d.c.ts).where(d.c.event_id == event_id, d.c.ts >= edge).order_by(d.c.ts).limit(1)
    # two statements: joined to the table, SQLite would walk the whole window instead of seeking
    times = db.session.scalars(select(nearest.scalar_subquery()).select_from(steps)).all()
    found = select(_t.ts, _t.value).where(_t.event_id == event_id, _t.ts.in_(set(times)))
    return [(row.ts, row.value) for row in db.session.execute(found.order_by(_t.ts))]


def _strided(event_id: int, start: int, stop: int, wanted: int) -> list[Sample]:
    numbered = (
        select(_t.ts, _t.value, (func.row_number().over(order_by=_t.ts) - 1).label("n"))
        .where(_t.event_id == event_id, _t.ts >= start, _t.ts < stop)
        .subquery()
    )
    places = stride_indices(_count([event_id], start, stop), wanted)
    chosen = select(numbered.c.ts, numbered.c.value).where(numbered.c.n.in_(places)).order_by(numbered.c.ts)
    return [(row.ts, row.value) for row in db.session.execute(chosen)]
