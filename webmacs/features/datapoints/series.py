"""Histories of channels: in slices, thinned, and what they amount to. Cost follows what is shown, not what is stored.

Plain values in, plain values out: `queries` says who may see what.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from webmacs.core import clock
from webmacs.core.db import driver, is_sqlite
from webmacs.features.datapoints.decide import (
    TEN,
    Sample,
    lttb,
    minmax,
    percentile,
    step_for,
    stride_indices,
)
from webmacs.features.datapoints.models import datapoints
from webmacs.features.datapoints.rollups.keeper import ask
from webmacs.features.datapoints.rollups.reading import Truth, cover, totals, truth
from webmacs.features.events.models import Event

SLICE_ROWS = 5_000  # rows that one slice aims for
FIRST_WIDTH = 1_000_000  # microseconds of the first slice
EXACT_ROWS = 5_000  # up to here uniform sampling counts rows, beyond it steps through time
MIN_STEPS = 10  # so many steps of ten seconds are better than reading all points
RAW_ROWS = 20_000  # up to here stretches shorter than ten seconds are read from the points

WINDOW = "FROM datapoints WHERE event_id = ? AND ts >= ? AND ts < ? ORDER BY ts"
FIRST_ROWS = f"SELECT ts, value {WINDOW} LIMIT ?"
LAST_ROW = f"SELECT ts, value {WINDOW} DESC LIMIT 1"
IS_THERE = f"SELECT 1 {WINDOW} LIMIT 1 OFFSET ?"
NEXT_ROW = "SELECT ts{} FROM datapoints WHERE event_id = ? AND ts >= ? - (? - i) * ? AND ts <= ? ORDER BY ts LIMIT 1"
# (beginning of a bucket, value) of the first or last point of each; in SQLite the join would else turn round
EDGES_SQLITE = """SELECT b.value, d.value FROM json_each(?) AS b CROSS JOIN datapoints AS d WHERE d.event_id = ?
 AND d.ts = (SELECT ts FROM datapoints WHERE event_id = ? AND ts >= max(b.value, ?) AND ts < min(b.value + ?, ?)
 ORDER BY ts {} LIMIT 1)"""
EDGES_POSTGRESQL = """SELECT b, d.value FROM unnest(?::bigint[]) AS b CROSS JOIN LATERAL (SELECT value FROM datapoints
 WHERE event_id = ? AND ts >= greatest(b, ?) AND ts < least(b + ?, ?) ORDER BY ts {} LIMIT 1) AS d"""
# CROSS: SQLite would otherwise walk the whole window instead of seeking
SOUGHT_SQLITE = f"""WITH RECURSIVE steps (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM steps WHERE i < ?)
 SELECT d.ts, d.value FROM steps CROSS JOIN datapoints d WHERE d.event_id = ? AND d.ts = ({NEXT_ROW.format("")})"""  # noqa: S608 - our own words
SOUGHT_POSTGRESQL = f"""SELECT d.ts, d.value FROM generate_series(1, ?::bigint) AS i
 CROSS JOIN LATERAL ({NEXT_ROW.format(", value")}) AS d"""  # noqa: S608 - our own words

_t = datapoints.c


# --- in slices --------------------------------------------------------------------------------------------------------


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


# --- thinned ----------------------------------------------------------------------------------------------------------


def samples(event_id: int, start: int, stop: int, wanted: int, how: str, known: Truth | None = None) -> list[Sample]:
    """At most `wanted` samples with start ≤ ts < stop; all of them when there are not more.

    `known` is the truth about rollups in the window, when the caller has asked for several channels at once.
    """
    connection = driver()
    if how == "uniform":
        return _uniform(connection, event_id, start, stop, wanted)
    known = known or truth(connection, [event_id], start, stop)
    if known.raw_from.get(event_id, 0) <= start:  # else only rollups are left of the beginning
        if not _exceeds(connection, event_id, start, stop, wanted):
            rows: list[Sample] = ask(connection, FIRST_ROWS, (event_id, start, stop, wanted))
            return rows
        first: Sample = ask(connection, FIRST_ROWS, (event_id, start, stop, 1))[0]
        start, stop = first[0], _last(connection, event_id, start, stop)[0] + 1
    if how == "minmax":
        return _extremes(connection, known, event_id, (start, stop), wanted)
    # the extremes of four times as many stretches first: the triangles then cost nothing and lose no peak that matters
    return lttb(_extremes(connection, known, event_id, (start, stop), 4 * wanted), wanted)


def _uniform(connection: Any, event_id: int, start: int, stop: int, wanted: int) -> list[Sample]:
    """Every n-th sample, counted where there are few, else by steps of time; first and last are always there."""
    if not _exceeds(connection, event_id, start, stop, EXACT_ROWS):
        rows: list[Sample] = ask(connection, FIRST_ROWS, (event_id, start, stop, EXACT_ROWS))
        return [rows[index] for index in stride_indices(len(rows), wanted)] if len(rows) > wanted else rows
    first: Sample = ask(connection, FIRST_ROWS, (event_id, start, stop, 1))[0]
    return _sought(connection, event_id, first, _last(connection, event_id, start, stop), wanted)


def _extremes(connection: Any, known: Truth, event_id: int, window: tuple[int, int], wanted: int) -> list[Sample]:
    """Lowest and highest sample of each step of time, the steps in absolute places, and the last sample."""
    start, stop = window
    buckets = max(1, (wanted - 1) // 2)
    step = step_for(start, stop, buckets)
    if step < TEN and (stop - start) // TEN >= MIN_STEPS and _exceeds(connection, event_id, start, stop, RAW_ROWS):
        step = TEN
    kept = minmax(cover(connection, known, event_id, start, stop, step))
    last = ask(connection, LAST_ROW, (event_id, start, stop))
    return [*kept, last[0]] if last and kept[-1] < last[0] else kept


def _last(connection: Any, event_id: int, start: int, stop: int) -> Sample:
    """The last sample of a window that has some."""
    last: Sample = ask(connection, LAST_ROW, (event_id, start, stop))[0]
    return last


def _exceeds(connection: Any, event_id: int, start: int, stop: int, rows: int) -> bool:
    """Whether the window holds more rows; reads no more than that many of the index."""
    return bool(ask(connection, IS_THERE, (event_id, start, stop, rows)))


def _sought(connection: Any, event_id: int, first: Sample, last: Sample, wanted: int) -> list[Sample]:
    """The first sample at or after each of `wanted` equal steps of time: one index seek for each of them.

    First and last are always there; a gap yields one sample, so there may be fewer than wanted.
    """
    steps = wanted - 1
    seek = (event_id, last[0], steps, (last[0] - first[0]) // steps, last[0])
    if is_sqlite():
        rows = ask(connection, SOUGHT_SQLITE, (steps, event_id, *seek))
    else:
        rows = ask(connection, SOUGHT_POSTGRESQL, (steps, *seek))
    return list(dict.fromkeys([first, *rows]))


# --- what they amount to ----------------------------------------------------------------------------------------------


def prefer_seeks() -> None:
    """Let PostgreSQL walk the index in this transaction: of a month that is young it thinks that it holds no rows."""
    if not is_sqlite():
        ask(driver(), "SELECT set_config('enable_bitmapscan', 'off', true), set_config('enable_sort', 'off', true)")


class Figures(NamedTuple):
    """What the values of a channel amount to in a stretch of time."""

    points: int
    lowest: float
    highest: float
    mean: float


def figures(event_ids: Sequence[int], start: int, stop: int) -> dict[int, Figures]:
    """Count, lowest, highest and mean of each channel with start ≤ ts < stop; channels without values are left out."""
    connection = driver()
    found = totals(connection, truth(connection, event_ids, start, stop), event_ids, start, stop)
    return {
        event_id: Figures(each.points, each.low, each.high, each.total / each.points)
        for event_id, each in found.items()
    }


class Window(NamedTuple):
    """start ≤ ts < stop, cut at the absolute multiples of `step`."""

    start: int
    stop: int
    step: int


def aggregates(event_id: int, window: Window, functions: Sequence[str], known: Truth) -> list[dict[str, Any]]:
    """What each bucket of a window amounts to, by the names of the functions; buckets without points are left out.

    `pN` is the percentile N, interpolated between the two nearest values.
    """
    connection = driver()
    buckets = cover(connection, known, event_id, *window)
    told: dict[str, Mapping[int, float]] = {
        "count": {each.start: each.points for each in buckets},
        "sum": {each.start: each.total for each in buckets},
        "avg": {each.start: each.total / each.points for each in buckets},
        "min": {each.start: each.low for each in buckets},
        "max": {each.start: each.high for each in buckets},
    }
    for name, order in (("first", "ASC"), ("last", "DESC")):
        if name in functions:
            told[name] = _edges(connection, event_id, window, [each.start for each in buckets], order)
    told |= _percentiles(connection, event_id, window, [name for name in functions if name not in told])
    return [
        {"start": clock.from_micros(each.start), **{name: told[name].get(each.start) for name in functions}}
        for each in buckets
    ]


def _edges(connection: Any, event_id: int, window: Window, starts: list[int], order: str) -> dict[int, float]:
    """The first or the last value of each bucket: one index seek for each."""
    start, stop, step = window
    if is_sqlite():
        text = EDGES_SQLITE.format(order)
        return dict(ask(connection, text, (json.dumps(starts), event_id, event_id, start, step, stop)))
    return dict(ask(connection, EDGES_POSTGRESQL.format(order), (starts, event_id, start, step, stop)))


def _percentiles(connection: Any, event_id: int, window: Window, names: Sequence[str]) -> dict[str, dict[int, float]]:
    """Name → beginning of a bucket → percentile, from the points; one bucket at a time is held."""
    found: dict[str, dict[int, float]] = {name: {} for name in names}
    if names:
        for start, values in _values(connection, event_id, window):
            values.sort()
            for name in names:
                found[name][start] = percentile(values, float(name[1:]))
    return found


def _values(connection: Any, event_id: int, window: Window) -> Iterator[tuple[int, list[float]]]:
    """(beginning, values) of each bucket that has points."""
    low, held, values = window.start, -1, list[float]()
    while rows := ask(connection, FIRST_ROWS, (event_id, low, window.stop, RAW_ROWS)):
        for ts, value in rows:
            start = ts // window.step * window.step
            if start != held:
                if values:
                    yield held, values
                held, values = start, []
            values.append(value)
        low = rows[-1][0] + 1
    if values:
        yield held, values
