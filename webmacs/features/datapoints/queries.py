"""Reads of datapoints: who may see which of them, and which experiment they belong to."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, pairwise
from typing import Any, NamedTuple

import orjson
from sqlalchemy import func, select

from webmacs.core import clock
from webmacs.core.db import db, driver
from webmacs.core.errors import Invalid, NotFound
from webmacs.core.identity import Actor
from webmacs.core.permissions import Can, authorize
from webmacs.features.datapoints.decide import BLOCK, MINUTE, TEN, Sample, Stretch, stretch_of
from webmacs.features.datapoints.models import Span, datapoints, latest_datapoints, span_events
from webmacs.features.datapoints.rollups.reading import count, truth
from webmacs.features.datapoints.schemas import LAST, MOST_BUCKETS, AggregateIn, DatapointFilter, SeriesIn
from webmacs.features.datapoints.series import Figures, Window, aggregates, prefer_seeks, scan
from webmacs.features.datapoints.series import figures as _figures
from webmacs.features.datapoints.series import samples as _samples
from webmacs.features.datapoints.store import engine_at
from webmacs.features.events import queries as events
from webmacs.features.events.models import Event
from webmacs.gateways.lines import Layout

__all__ = ["Figures", "scan"]  # what other features ask for, beside what stands here

MOST_POINTS = 2_000_000  # read for one question; longer ones would keep others waiting
FAR = 2_000  # rows: a page further on is looked for by counting instead of reading

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


# --- spans ------------------------------------------------------------------------------------------------------------


def stretches(actor: Actor, start: int = 0, stop: int = LAST) -> list[Stretch]:
    """The spans that touch this stretch of time, latest-started first."""
    shown = (Span.id, Span.public_id, Span.started_us, Span.stopped_us, Span.is_scoped)
    touching = select(*shown).where(
        Span.organization_id == actor.organization_id,
        Span.started_us <= stop,
        (Span.stopped_us.is_(None)) | (Span.stopped_us >= start),
    )
    spans = db.session.execute(touching.order_by(Span.started_us.desc(), Span.id.desc())).all()
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
    newest = events.visible(actor).join(latest_datapoints, latest_datapoints.c.event_id == Event.id)
    shown = (Event.id, Event.public_id, latest_datapoints.c.ts, latest_datapoints.c.value)
    rows = db.session.execute(newest.with_only_columns(*shown).order_by(Event.id)).all()
    times = [row.ts for row in rows]
    known = stretches(actor, min(times), max(times)) if times else []
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
    names, start, stop = _selection(actor, query)
    after = _cursor(actor, query.cursor) if query.cursor is not None else None
    with engine_at(names):
        total, taken = _page_of(query, list(names), (start, stop), after)
    shown = taken[: query.page_size]
    known = stretches(actor, shown[-1][1], shown[0][1]) if shown else []
    data = [_shown(known, event_id, names[event_id], ts, value) for event_id, ts, value in shown]
    more = data[-1].public_id if len(taken) > query.page_size else None
    return Listing(query.page, query.page_size, total, data, more)


def _page_of(
    query: DatapointFilter, event_ids: list[int], window: tuple[int, int], after: tuple[int, int] | None
) -> tuple[int, list[tuple[int, int, float]]]:
    """How many points there are, and those of one page and the next one."""
    start, stop = window
    prefer_seeks()
    total = count(driver(), event_ids, start, stop)
    skip = (query.page - 1) * query.page_size
    if after is not None:
        skip, stop = 0, min(stop, after[0] + 1)
    if skip >= total:
        stop = start
    elif skip > FAR:
        stop, skip = _leap(event_ids, start, stop, skip)
    rows = scan(db.session.connection(), event_ids, start, min(stop, _newest(event_ids) + 1), descending=True)
    if after is not None:
        rows = (row for row in rows if (row[1], row[0]) < after)
    return total, list(islice(rows, skip, skip + query.page_size + 1))


def _newest(event_ids: list[int]) -> int:
    """The time of the newest point of all these channels: a list need not look for it."""
    newest = select(func.max(latest_datapoints.c.ts)).where(latest_datapoints.c.event_id.in_(event_ids))
    return db.session.scalar(newest) or 0


def _leap(event_ids: list[int], start: int, stop: int, skip: int) -> tuple[int, int]:
    """Where a list that ends at `stop` may begin so that fewer rows need be skipped, and how many that are then."""
    low, high, over = start // BLOCK, stop // BLOCK, 0  # the rows from `high` on are `over`, at most `skip`
    while high - low > 1:
        middle = (low + high) // 2
        newer = count(driver(), event_ids, middle * BLOCK, stop)
        if newer <= skip:
            high, over = middle, newer
        else:
            low = middle
    return (high * BLOCK, skip - over) if over else (stop, skip)


def _cursor(actor: Actor, text: str) -> tuple[int, int]:
    """(microseconds, internal id of the channel) of the point that the page before ended with."""
    try:
        event, ts = locate(actor, text)
    except NotFound:
        raise Invalid({"cursor": "This is not a cursor of this list."}) from None
    return ts, event.id


def _selection(actor: Actor, query: DatapointFilter) -> tuple[dict[int, str], int, int]:
    """The channels (id → public id) and the half-open stretch of time that a filter means."""
    start = clock.to_micros(query.start) if query.start else 0
    stop = clock.to_micros(query.stop) + 1 if query.stop else LAST
    if query.event_public_id:
        names = {events.get(actor, query.event_public_id).id: query.event_public_id}
    else:
        mine = events.visible(actor).with_only_columns(Event.id, Event.public_id)
        names = {row[0]: row[1] for row in db.session.execute(mine)}
    if query.experiment_public_id:
        run = stretch(actor, query.experiment_public_id)
        if run is None:
            raise NotFound("Experiment", query.experiment_public_id)
        names = {key: name for key, name in names.items() if run.event_ids is None or key in run.event_ids}
        start, stop = max(start, run.start), min(stop, LAST if run.stop is None else run.stop + 1)
    return names, max(0, start), min(stop, LAST)


def count_of(actor: Actor, event_public_id: str) -> int:
    """How many datapoints a channel has."""
    event_ids = [events.get(actor, event_public_id).id]
    with engine_at(event_ids):
        return count(driver(), event_ids, 0, LAST)


def count_within(event_ids: Sequence[int], start: int, stop: int) -> int:
    """How many datapoints channels (internal ids) have with start ≤ ts < stop; costs days, not rows."""
    with engine_at(event_ids):
        prefer_seeks()
        return count(driver(), event_ids, start, stop)


def figures(event_ids: Sequence[int], start: int, stop: int) -> dict[int, Figures]:
    """See `series.figures`."""
    with engine_at(event_ids):
        return _figures(event_ids, start, stop)


def samples(event_id: int, start: int, stop: int, wanted: int, how: str) -> list[Sample]:
    """See `series.samples`."""
    with engine_at([event_id]):
        return _samples(event_id, start, stop, wanted, how)


# --- series -----------------------------------------------------------------------------------------------------------


def series(actor: Actor, wish: SeriesIn) -> dict[str, orjson.Fragment]:
    """Thinned series of the last minutes, public id → points in order of time; an unknown id has none.

    Points have the fields of `Datapoint`; nothing is made of them but JSON, and there are many, so they are JSON here.
    """
    authorize(actor, Can.READ)
    stop = clock.to_micros(clock.now())
    start = stop - wish.minutes * 60_000_000
    found = events.by_public_ids(actor, wish.event_public_ids)
    known = stretches(actor, start)
    shown = {wanted: orjson.Fragment(b"[]") for wanted in wish.event_public_ids}
    ids = [event.id for event in found.values()]
    with engine_at(ids):
        prefer_seeks()
        folded = None if wish.downsample == "uniform" else truth(driver(), ids, start, LAST)
        for wanted, event in found.items():
            points = _samples(event.id, start, LAST, wish.max_points, wish.downsample, folded)
            if points:
                shown[wanted] = orjson.Fragment(_as_json(event, points, known))
    return shown


def _as_json(event: Event, points: Sequence[Sample], known: Sequence[Stretch]) -> bytes:
    """Points of a channel in order of time as a JSON list, put together by columns and by stretches of one span."""
    times, values = zip(*points, strict=True)
    mine = [one for one in known if one.event_ids is None or event.id in one.event_ids]
    edges = {0, len(times), *(bisect_left(times, one.start) for one in mine)}
    edges |= {bisect_right(times, one.stop) for one in mine if one.stop is not None}
    lines: list[bytes] = []
    for low, high in pairwise(sorted(edges)):
        span = orjson.dumps(stretch_of(mine, event.id, times[low]))
        before = f'Z","event_public_id":"{event.public_id}","experiment_public_id":{span.decode()},"value":'
        cells = {event.id: (before.encode(), f',"public_id":"{public_id(event.public_id, 0)[:-14]}'.encode())}
        layout = Layout(b'{"timestamp":"', cells, b'"},')
        lines += layout.lines([event.id] * (high - low), times[low:high], values[low:high])
    return b"[" + b"".join(lines)[:-1].replace(b'.000000Z"', b'Z"') + b"]"


def aggregate(actor: Actor, wish: AggregateIn) -> dict[str, list[dict[str, Any]]]:
    """What channels amount to, public id → buckets in order of time; an unknown id has none."""
    authorize(actor, Can.READ)
    window = _window(wish)
    found = events.by_public_ids(actor, wish.event_public_ids)
    with engine_at([event.id for event in found.values()]):
        return _aggregated(found, window, wish)


def _aggregated(found: Mapping[str, Event], window: Window, wish: AggregateIn) -> dict[str, list[dict[str, Any]]]:
    prefer_seeks()
    ids = [event.id for event in found.values()]
    reads_points = window.step % TEN or any(name[0] == "p" for name in wish.functions)
    if reads_points and count(driver(), ids, window.start, window.stop) > MOST_POINTS:
        raise Invalid({"start": f"Percentiles and odd buckets are computed from {MOST_POINTS:,} values at most."})
    known = truth(driver(), ids, window.start, window.stop)
    shown: dict[str, list[dict[str, Any]]] = {wanted: [] for wanted in wish.event_public_ids}
    return shown | {wanted: aggregates(event.id, window, wish.functions, known) for wanted, event in found.items()}


def _window(wish: AggregateIn) -> Window:
    if wish.start is not None and wish.minutes is not None:
        raise Invalid({"minutes": "Give start or minutes, not both."})
    stop = clock.to_micros(wish.stop or clock.now())
    start = stop - (wish.minutes or 60) * MINUTE if wish.start is None else clock.to_micros(wish.start)
    start, stop = max(0, start), min(stop, LAST)
    if start >= stop:
        raise Invalid({"stop": "Must be later than start."})
    if (stop - 1) // wish.bucket - start // wish.bucket >= MOST_BUCKETS:
        raise Invalid({"bucket": f"Gives more than {MOST_BUCKETS:,} buckets: take longer ones or less time."})
    return Window(start, stop, wish.bucket)
