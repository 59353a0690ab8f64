"""What stretches of history amount to: from rollups where they tell the truth, from the points everywhere else.

The order of the statements counts on PostgreSQL, where each sees its own moment: what is folded and what is stale
first, rollups next, points last. A keeper that commits in between changes nothing that was read before.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from webmacs.features.datapoints.decide import (
    BLOCK,
    MINUTE,
    TEN,
    WIDTHS,
    Bucket,
    Range,
    combine,
    finite,
    joined,
    plan,
    summarize,
)
from webmacs.features.datapoints.rollups.keeper import BOUNDED, BUCKET, NEXT, SUM, ask, state_of

ROWS = 20_000  # points that are taken into memory for one stretch; more are summed up by the database
BRANCHES = 40  # stretches asked for in one statement
KEPT = f"SELECT {{}}, {BUCKET} FROM rollups WHERE event_id = ? AND width = ? AND start >= ? AND start < ?"  # noqa: S608 - our own words
POINTS = "SELECT ts, value FROM datapoints WHERE event_id = ? AND ts >= ? AND ts < ?"
KEPT_SUMS = f"""SELECT {{}}, event_id, sum(points), sum({BOUNDED.format("total")}), min(low), max(high)
 FROM rollups WHERE event_id IN ({{}}) AND width = ? AND start >= ? AND start < ? GROUP BY event_id"""  # noqa: S608 - our own words and numbers
POINT_SUMS = f"""SELECT event_id, count(*), sum({BOUNDED.format("value")}), min(value), max(value)
 FROM datapoints WHERE event_id IN ({{}}) AND ts >= ? AND ts < ? GROUP BY event_id"""  # noqa: S608 - our own words
POINT_COUNTS = "SELECT count(*) FROM datapoints WHERE event_id IN ({}) AND ts >= ? AND ts < ?"

Stretches = tuple[tuple[int, int], ...]


class Truth(NamedTuple):
    """How far rollups can be trusted."""

    whole_until: int
    stale: dict[int, tuple[int, ...]]  # event id → blocks in order
    raw_from: dict[int, int]  # event id → before this moment only rollups are left


class Totals(NamedTuple):
    """What a whole stretch amounts to."""

    points: int
    total: float
    low: float
    high: float


def truth(connection: Any, event_ids: Sequence[int], start: int, stop: int) -> Truth:
    """What is known of the rollups of these channels in [start, stop); to be asked before anything else."""
    whole_until = state_of(connection).whole_until
    stale: dict[int, list[int]] = defaultdict(list)
    raw_from: dict[int, int] = {}
    if event_ids and start < whole_until:
        ids = _numbers(event_ids)
        marked = f"""SELECT event_id, block, 0 FROM stale_blocks WHERE event_id IN ({ids}) AND block >= ? AND block < ?
 UNION ALL SELECT event_id, ts, 1 FROM raw_from WHERE event_id IN ({ids}) AND ts > ?"""  # noqa: S608 - numbers only
        values = (start // BLOCK, -(-min(stop, whole_until) // BLOCK), start)
        for event_id, number, is_moment in ask(connection, marked, values):
            if is_moment:
                raw_from[event_id] = number
            else:
                stale[event_id].append(number)
    told = {  # before `raw_from` nothing is folded again
        event_id: tuple(sorted(block for block in blocks if block * BLOCK >= raw_from.get(event_id, 0)))
        for event_id, blocks in stale.items()
    }
    return Truth(whole_until, told, raw_from)


def cover(connection: Any, known: Truth, event_id: int, start: int, stop: int, step: int) -> list[Bucket]:
    """The points with start ≤ ts < stop in buckets that start at multiples of `step`; empty ones are left out.

    Two statements as a rule: one for rollups, one for points.
    """
    ranges = plan(start, stop, known.whole_until, known.stale.get(event_id, ()), _widths(step))
    folded = [wanted for wanted in ranges if wanted[0]]
    buckets: list[Bucket] = []
    seen: set[tuple[int, int]] = set()
    for part in _parts(list(enumerate(folded))):
        text = " UNION ALL ".join([KEPT.format(place) for place, _ in part])
        for place, *bucket in ask(connection, text, [value for _, wanted in part for value in (event_id, *wanted)]):
            buckets.append(Bucket(*bucket))
            seen.add((place, bucket[0] // BLOCK))
    left = [(low, high) for width, low, high in ranges if not width]
    for low, high in _unkept(folded, seen):
        if high - low == BLOCK and low < known.raw_from.get(event_id, 0):  # nothing finer is left of it
            found = ask(connection, KEPT.format(0), (event_id, BLOCK, low, high))
            buckets += [Bucket(*bucket) for _, *bucket in found]
        else:
            left.append((low, high))
    buckets += _from_points(connection, event_id, joined(left), step)
    buckets.sort()
    return combine(buckets, step)


def totals(connection: Any, known: Truth, event_ids: Iterable[int], start: int, stop: int) -> dict[int, Totals]:
    """Count, sum, lowest and highest of each channel over start ≤ ts < stop; those without points are left out."""
    found: dict[int, list[Totals]] = defaultdict(list)
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for event_id in event_ids:
        groups[known.stale.get(event_id, ())].append(event_id)
    pieces: dict[Stretches, list[int]] = defaultdict(list)
    for stale, ids in groups.items():
        ranges = plan(start, stop, known.whole_until, stale, WIDTHS[::-1])
        folded = [wanted for wanted in ranges if wanted[0]]
        left = [(low, high) for width, low, high in ranges if not width]
        seen: dict[int, set[tuple[int, int]]] = defaultdict(set)
        for part in _parts(list(enumerate(folded))):
            text = " UNION ALL ".join([KEPT_SUMS.format(place, _numbers(ids)) for place, _ in part])
            for place, event_id, *sums in ask(connection, text, [value for _, wanted in part for value in wanted]):
                found[event_id].append(Totals(*sums))
                seen[event_id].add((place, folded[place][1] // BLOCK))
        for event_id in ids:
            pieces[tuple(joined([*left, *_unkept(folded, seen[event_id])]))].append(event_id)
    for stretches, ids in pieces.items():
        for part in _parts(stretches):
            text = " UNION ALL ".join([POINT_SUMS.format(_numbers(ids))] * len(part))
            for event_id, *sums in ask(connection, text, [value for lowhigh in part for value in lowhigh]):
                found[event_id].append(Totals(*sums))
    return {event_id: _sum(parts) for event_id, parts in found.items()}


def count(connection: Any, event_ids: Sequence[int], start: int, stop: int) -> int:
    """How many points there are with start ≤ ts < stop, exactly; costs days, not rows."""
    known = truth(connection, event_ids, start, stop)
    by_start: dict[int, list[int]] = defaultdict(list)
    for event_id in event_ids:
        by_start[min(stop, known.raw_from.get(event_id, start))].append(event_id)
    number = 0
    for begin, ids in by_start.items():
        if begin > start:  # let go, but for what came too late for that
            number += ask(connection, POINT_COUNTS.format(_numbers(ids)), (start, begin))[0][0]
        number += sum(int(each.points) for each in totals(connection, known, ids, begin, stop).values())
    return number


def _sum(parts: Sequence[Totals]) -> Totals:
    points, total = sum(int(part.points) for part in parts), finite(sum(part.total for part in parts))
    return Totals(points, total, min(part.low for part in parts), max(part.high for part in parts))


def _widths(step: int) -> list[int]:
    """The widths of which a bucket of `step` is made, the widest first."""
    return [width for width in reversed(WIDTHS) if step % width == 0]


def _unkept(folded: Sequence[Range], seen: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """Stretches of fine rollups of which a block gave nothing: it keeps none or is empty. `seen`: (place, block)."""
    return [
        (max(low, block * BLOCK), min(high, (block + 1) * BLOCK))
        for place, (width, low, high) in enumerate(folded)
        if width in (TEN, MINUTE)
        for block in range(low // BLOCK, -(-high // BLOCK))
        if (place, block) not in seen
    ]


def _from_points(connection: Any, event_id: int, stretches: Sequence[tuple[int, int]], step: int) -> list[Bucket]:
    found: list[Bucket] = []
    for part in _parts(stretches):
        text = " UNION ALL ".join([POINTS] * len(part)) + f" LIMIT {ROWS + 1}"
        rows = ask(connection, text, [value for lowhigh in part for value in (event_id, *lowhigh)])
        if len(rows) > ROWS:
            for low, high in part:
                found += _summed(connection, event_id, low, high, step)
        elif rows:
            rows.sort()
            times, values = zip(*rows, strict=True)
            found += summarize(times, values, step)
    return found


def _summed(connection: Any, event_id: int, low: int, high: int, step: int) -> list[Bucket]:
    """The buckets of a stretch with many points, each summed up by the database; gaps are jumped over."""
    found: list[Bucket] = []
    while low < high:
        start = low // step * step
        stretch = (event_id, low, min(high, start + step))
        rows = ask(connection, SUM, stretch * 3)
        low = stretch[2]
        if rows:
            found.append(Bucket(start, *rows[0]))
        else:
            following = ask(connection, NEXT, (event_id, low, high))
            low = following[0][0] if following else high
    return found


def _numbers(event_ids: Iterable[int]) -> str:
    """Ids for IN (…); written out, because a database takes only so many values beside a statement."""
    return ",".join([str(int(event_id)) for event_id in event_ids])


def _parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[index : index + BRANCHES] for index in range(0, len(items), BRANCHES))
