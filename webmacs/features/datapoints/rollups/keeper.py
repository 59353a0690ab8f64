"""The keeper of rollups: folds what has become history into `rollups`, and again what was marked stale.

Every row is computed from the points themselves. A keeper holds no lock while it reads; before it commits it looks
whether anybody was faster (`rollup_state.turn`), and a mark that was set meanwhile stays.
"""

import sqlite3
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

from psycopg.errors import LockNotAvailable
from sqlalchemy import Engine

from webmacs.core import clock
from webmacs.core.db import Wire
from webmacs.features.datapoints.decide import (
    BLOCK,
    DAY,
    HOUR,
    MINUTE,
    TEN,
    Bucket,
    block_rows,
    combine,
    finest,
    joined,
    summarize,
)
from webmacs.features.datapoints.store.postgresql import ROLLUP_LOCK

GRACE = 10_000_000  # microseconds: points are on their way for so long
SPENT = 0.5  # seconds that each half of a fold takes before it lets others have their turn
ROWS = 10_000  # points read at once; a block with more is summed up by the database, bucket by bucket
MOST_ROWS = 5_000  # rows written in one transaction: ingest waits for it
MOST_MARKS = 2_000
LONGEST_WAIT = 500  # milliseconds that writers may have to wait for the keeper
FIRST_SPAN = 6 * BLOCK
# PostgreSQL refuses a sum that runs out of the range of doubles; what lies beyond this is no measurement
BOUNDED = "CASE WHEN {0} > 1e290 THEN 1e290 WHEN {0} < -1e290 THEN -1e290 ELSE {0} END"

BUCKET = "start, points, total, low, low_ts, high, high_ts"
COLUMNS = f"event_id, width, {BUCKET}"
STATE = "SELECT open_from, whole_until, turn FROM rollup_state WHERE id = 1"
POINTS = "SELECT ts, value FROM datapoints WHERE event_id = ? AND ts >= ? AND ts < ? ORDER BY ts LIMIT ?"
NEXT = "SELECT ts FROM datapoints WHERE event_id = ? AND ts >= ? AND ts < ? ORDER BY ts LIMIT 1"
STRETCH = "FROM datapoints WHERE event_id = ? AND ts >= ? AND ts < ?"
SUM = f"""SELECT points, total, low, (SELECT ts {STRETCH} AND value = low ORDER BY ts LIMIT 1),
 high, (SELECT ts {STRETCH} AND value = high ORDER BY ts LIMIT 1) FROM (SELECT count(*) AS points,
 sum({BOUNDED.format("value")}) AS total, min(value) AS low, max(value) AS high {STRETCH}) AS summed WHERE points > 0"""  # noqa: S608 - our own words
KEPT = f"SELECT {BUCKET} FROM rollups WHERE event_id = ? AND width = ? AND start >= ? AND start < ? ORDER BY start"  # noqa: S608 - our own words
CLEAR = "DELETE FROM rollups WHERE event_id = ? AND width IN (?, ?, ?) AND start >= ? AND start < ?"
PUT = f"INSERT INTO rollups ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - our own words
PUT_ARRAYS = f"""INSERT INTO rollups ({COLUMNS}) SELECT * FROM unnest(?::int[], ?::bigint[], ?::bigint[], ?::bigint[],
 ?::float8[], ?::float8[], ?::bigint[], ?::float8[], ?::bigint[])"""  # noqa: S608 - our own words

Row = tuple[int, int, int, int, float, float, int, float, int]  # in the order of COLUMNS


class State(NamedTuple):
    """See `models.rollup_state`."""

    open_from: int
    whole_until: int
    turn: int


class Piece(NamedTuple):
    """The rows of a channel, up to ten minutes wide, that take the place of those with low ≤ start < high."""

    event_id: int
    low: int
    high: int
    rows: list[tuple[int, Bucket]]
    marks: list[tuple[int, int, int]]  # (event id, block, marks) that are settled by it


class OvertakenError(Exception):
    """Another keeper was faster, or a channel was forgotten: what was read counts for nothing."""


@cache
def sql(statement: str, *, is_sqlite: bool) -> str:
    """A statement in the words of the driver; `?` stands for a value."""
    return statement if is_sqlite else statement.replace("?", "%s")


def ask(connection: Any, text: str, values: Sequence[Any] = ()) -> list[Any]:
    """The rows of a statement on the driver's own connection."""
    if isinstance(connection, sqlite3.Connection):
        return connection.execute(text, values).fetchall()
    found: list[Any] = connection.execute(sql(text, is_sqlite=False), values, binary=True).fetchall()
    return found


def state_of(connection: Any) -> State:
    """How far the keeper is; before its first step nothing is folded."""
    found = ask(connection, STATE)
    return State(*found[0]) if found else State(0, 0, -1)


# --- the keeper -------------------------------------------------------------------------------------------------------


def fold(engine: Engine) -> bool:
    """One step of the keeper: short transactions of its own, nothing asked of the caller. True when more is to be done.

    May run at any time and in any number of processes. It takes about a second at most.
    """
    with _reading(engine) as (connection, is_first):
        if not is_first:
            return False
        wire = Wire(engine)
        try:
            state = _fold_head(wire, connection, _advance(wire, connection))
            is_behind = _fold_stale(wire, connection, state)
        except OvertakenError:
            return True
        finally:
            wire.close()
        return is_behind or state.whole_until < state.open_from


@contextmanager
def _reading(engine: Engine) -> Iterator[tuple[Any, bool]]:
    """The driver's connection, each statement for itself; and whether no other keeper is known to be at work."""
    borrowed = engine.raw_connection()
    connection: Any = borrowed.driver_connection
    try:
        if engine.dialect.name == "sqlite":
            yield connection, True
            return
        connection.autocommit = True
        is_first = ask(connection, "SELECT pg_try_advisory_lock(?)", (ROLLUP_LOCK + 1,))[0][0]
        try:
            yield connection, is_first
        finally:
            if is_first:
                ask(connection, "SELECT pg_advisory_unlock(?)", (ROLLUP_LOCK + 1,))
            connection.autocommit = False
    finally:
        borrowed.close()


def _advance(wire: Wire, reading: Any) -> State:
    """Move `open_from` on: from here on a point before it is late and marks its block."""
    moment = (clock.to_micros(clock.now()) - GRACE) // TEN * TEN
    state = state_of(reading)
    if state.turn >= 0 and state.open_from >= moment:
        return state
    try:
        with wire.transaction() as connection:
            if not isinstance(connection, sqlite3.Connection):
                # until no writer is under way that has read the old one; whoever comes meanwhile waits behind us
                _run(connection, f"SET LOCAL lock_timeout = {LONGEST_WAIT}")
                ask(connection, "SELECT pg_advisory_xact_lock(?)", (ROLLUP_LOCK,))
            state = state_of(connection)
            if state.turn < 0:
                state = State(moment, 0, 0)
                _run(connection, "INSERT INTO rollup_state (id, open_from, whole_until) VALUES (1, ?, 0)", moment)
            elif state.open_from < moment:
                state = state._replace(open_from=moment)
                _run(connection, "UPDATE rollup_state SET open_from = ? WHERE id = 1", moment)
    except LockNotAvailable:
        return state  # somebody writes for long: next time
    return state


def _run(connection: Any, text: str, *values: Any) -> int:
    """Rows that a statement changed."""
    changed: int = connection.execute(sql(text, is_sqlite=isinstance(connection, sqlite3.Connection)), values).rowcount
    return changed


def _run_many(connection: Any, text: str, values: Sequence[Sequence[Any]]) -> None:
    if values:
        connection.cursor().executemany(sql(text, is_sqlite=isinstance(connection, sqlite3.Connection)), values)


def _fold_head(wire: Wire, reading: Any, state: State) -> State:
    """Fold from `whole_until` on; the span of a step follows the density of what it finds."""
    until, span = time.monotonic() + SPENT, FIRST_SPAN
    while state.whole_until < state.open_from and time.monotonic() < until:
        began = time.monotonic()
        low, high = state.whole_until, state.open_from
        if high - low > HOUR:
            found = _next(reading, low, high)
            high = high if found is None else min(high, (max(low, found) + span) // BLOCK * BLOCK)
        pieces = [_head_piece(reading, event_id, low, high) for event_id in _active(reading, low, high)]
        state = _commit(wire, state._replace(whole_until=high), low, pieces)
        span = max(BLOCK, span // 2 if time.monotonic() - began > SPENT / 4 else span * 2)
    return state


def _active(connection: Any, low: int, high: int) -> list[int]:
    """The channels that may have points in the widest stretch that becomes whole when `low` moves on to `high`."""
    width = next((width for width in (DAY, HOUR, BLOCK) if high // width > low // width), TEN)
    found = ask(connection, "SELECT event_id FROM latest_datapoints WHERE ts >= ?", (low // width * width,))
    return [event_id for (event_id,) in found]


def _next(connection: Any, low: int, high: int) -> int | None:
    """The first moment of [low, high) that has a point."""
    found = [ts for event_id in _active(connection, low, low) for (ts,) in ask(connection, NEXT, (event_id, low, high))]
    return min(found, default=None)


def _head_piece(connection: Any, event_id: int, low: int, high: int) -> Piece:
    """What [low, high) adds; a block that is over now is told anew with the ten seconds that it began with."""
    before: list[Bucket] = []
    block = low // BLOCK * BLOCK
    is_over = block < low and block + BLOCK <= high
    if is_over:
        kept = ask(connection, KEPT, (event_id, TEN, block, low))
        before = [Bucket(*row) for row in kept]
    rows: list[tuple[int, Bucket]] = []
    rest = before
    for start, width, buckets in _blocks(connection, event_id, low, high):
        if rest and start == block:
            buckets, rest = rest + buckets, []  # noqa: PLW2901 - the block as a whole
        elif rest:
            rows, rest = block_rows(rest, TEN), []
        is_whole = start + BLOCK <= high
        rows += block_rows(buckets, width) if is_whole else [(width, bucket) for bucket in buckets]
    if rest:
        rows = block_rows(rest, TEN)
    return Piece(event_id, block if is_over else low, high, rows, [])


def _blocks(connection: Any, event_id: int, low: int, high: int) -> Iterator[tuple[int, int, list[Bucket]]]:
    """(start, width, buckets) of each block of [low, high) that has points; ten seconds wide where it is not whole."""
    while low < high:
        rows = ask(connection, POINTS, (event_id, low, high, ROWS))
        if not rows:
            return
        times, values = zip(*rows, strict=True)
        is_cut = len(rows) == ROWS
        index, end = 0, len(rows)
        last = times[-1] // BLOCK * BLOCK
        while index < end:
            start = times[index] // BLOCK * BLOCK
            if is_cut and start == last:
                break
            after = bisect_left(times, start + BLOCK, index)
            is_whole = low <= start and start + BLOCK <= high
            width = finest(after - index) if is_whole else TEN
            yield start, width, summarize(times, values, width, index, after)
            index = after
        if not is_cut:
            return
        if index == 0:  # a block with more points than we take
            yield last, TEN, _summed(connection, event_id, max(low, last), min(high, last + BLOCK))
            last += BLOCK
        low = last


def _summed(connection: Any, event_id: int, low: int, high: int) -> list[Bucket]:
    """The buckets of ten seconds, each summed up by the database."""
    found = []
    for start in range(low // TEN * TEN, high, TEN):
        stretch = (event_id, max(low, start), min(high, start + TEN))
        found += [Bucket(start, *row) for row in ask(connection, SUM, stretch * 3)]
    return found


# --- what was marked --------------------------------------------------------------------------------------------------


def _fold_stale(wire: Wire, reading: Any, state: State) -> bool:
    """Fold stale blocks again, many of a channel in one read; True when some are left."""
    until = time.monotonic() + SPENT
    marked = "SELECT event_id, block, marks FROM stale_blocks WHERE block < ? ORDER BY event_id, block LIMIT ?"
    while True:
        marks = ask(reading, marked, (-(-state.whole_until // BLOCK), MOST_MARKS))
        if not marks:
            return False
        gone = dict(ask(reading, "SELECT event_id, ts FROM raw_from"))
        pieces: list[Piece] = []
        for run in _runs(marks):
            pieces.append(_stale_piece(reading, run, state.whole_until, gone.get(run[0][0], 0)))
            if sum(len(piece.rows) for piece in pieces) > MOST_ROWS or time.monotonic() > until:
                break
        state = _commit(wire, state, state.whole_until, pieces)
        if time.monotonic() > until:
            return True


def _runs(marks: list[tuple[int, int, int]]) -> Iterator[list[tuple[int, int, int]]]:
    """Neighbouring blocks of one channel together."""
    run: list[tuple[int, int, int]] = []
    for mark in marks:
        if run and (mark[0], mark[1]) != (run[-1][0], run[-1][1] + 1):
            yield run
            run = []
        run.append(mark)
    if run:
        yield run


def _stale_piece(connection: Any, run: list[tuple[int, int, int]], whole_until: int, gone_until: int) -> Piece:
    event_id = run[0][0]
    low, high = max(run[0][1] * BLOCK, gone_until), min((run[-1][1] + 1) * BLOCK, whole_until)
    rows: list[tuple[int, Bucket]] = []
    for start, width, buckets in _blocks(connection, event_id, low, high):
        is_whole = start + BLOCK <= high
        rows += block_rows(buckets, width) if is_whole else [(width, bucket) for bucket in buckets]
    return Piece(event_id, low, max(low, high), rows, run)


# --- writing ----------------------------------------------------------------------------------------------------------


def _commit(wire: Wire, state: State, low: int, pieces: list[Piece]) -> State:
    """Put pieces in place, and the hours and days that are whole with them; `low` is where `whole_until` was.

    A step of the head (`low` before `whole_until`) also makes hours whole of which no piece has a part.
    """
    with wire.transaction() as connection:
        moved = _run(
            connection,
            "UPDATE rollup_state SET whole_until = ?, turn = turn + 1 WHERE id = 1 AND turn = ?",
            state.whole_until,
            state.turn,
        )
        if moved != 1:
            raise OvertakenError
        _run_many(connection, CLEAR, [(p.event_id, *(TEN, MINUTE, BLOCK), p.low, p.high) for p in pieces])
        _put(connection, [(p.event_id, width, *bucket) for p in pieces for width, bucket in p.rows])
        for width, narrower in ((HOUR, BLOCK), (DAY, HOUR)):
            whole, touched = state.whole_until // width * width, defaultdict(list)
            for piece in pieces:
                first, last = min(low, piece.low) // width * width, min(whole, -(-piece.high // width) * width)
                if first < last:
                    touched[piece.event_id].append((first, last))
            stretches = [(event_id, *each) for event_id, parts in touched.items() for each in joined(parts)]
            _widen(connection, stretches, width, narrower)
        settled = [mark for piece in pieces for mark in piece.marks]
        _run_many(connection, "DELETE FROM stale_blocks WHERE event_id = ? AND block = ? AND marks = ?", settled)
    return state._replace(turn=state.turn + 1)


def _widen(connection: Any, stretches: list[tuple[int, int, int]], width: int, narrower: int) -> None:
    """Compute the rows of `width` in [from, to) of each channel again from the narrower ones."""
    rows: list[Row] = []
    for event_id, low, high in stretches:
        kept = [Bucket(*row) for row in ask(connection, KEPT, (event_id, narrower, low, high))]
        rows += [(event_id, width, *bucket) for bucket in combine(kept, width)]
    _run_many(connection, CLEAR, [(event_id, width, width, width, low, high) for event_id, low, high in stretches])
    _put(connection, rows)


def _put(connection: Any, rows: Sequence[Row]) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.executemany(PUT, rows)
    elif rows:
        _run(connection, PUT_ARRAYS, *([*column] for column in zip(*rows, strict=True)))
