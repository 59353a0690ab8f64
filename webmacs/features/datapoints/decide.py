"""Pure choices about series of points: which of many to show, what they amount to, and which stretch they belong to."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

Sample = tuple[int, float]  # (microseconds since 1970, value)
Range = tuple[int, int, int]  # (width, from, to): rollup rows of this width; 0 is the points themselves

SECOND, MINUTE, HOUR, DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000
TEN, BLOCK = 10 * SECOND, 10 * MINUTE
WIDTHS = (TEN, MINUTE, BLOCK, HOUR, DAY)  # microseconds that one rollup row covers
# A block with fewer points keeps no rows of this width: reading the points is as quick and takes no room.
FEWEST = {TEN: 1200, MINUTE: 200, BLOCK: 1}
STEPS: tuple[int, ...] = (
    *(factor * 10**power for power in range(7) for factor in (1, 2, 5)),
    *(n * SECOND for n in (10, 20, 30)),
    *(n * MINUTE for n in (1, 2, 3, 4, 5, 6, 10, 20, 30)),
    *(n * HOUR for n in (1, 2, 3, 4, 6, 8, 12)),
    *(n * DAY for n in (1, 2, 3, 5, 7, 10, 15, 30, 60, 120, 240, 480, 960, 1920)),
)
MOST = 1.7976931348623157e308


def stride_indices(count: int, wanted: int) -> list[int]:
    """Uniform sampling: floor(i·count/wanted) for all but the last place, which holds the last point.

    The documented rule of POST /datapoints/series; first and last are always there.
    """
    if count <= wanted:
        return list(range(count))
    stride = count / wanted
    return [int(i * stride) for i in range(wanted - 1)] + [count - 1]


class Bucket(NamedTuple):
    """What the points of one stretch of time amount to; of equal extremes the first moment counts."""

    start: int
    points: int
    total: float
    low: float
    low_ts: int
    high: float
    high_ts: int


def finite(total: float) -> float:
    """A sum that has run out of the range of doubles, as near as doubles come: no database keeps what is no number."""
    if math.isfinite(total):
        return total
    return 0.0 if math.isnan(total) else math.copysign(MOST, total)


def summarize(
    times: Sequence[int], values: Sequence[float], width: int, begin: int = 0, end: int | None = None
) -> list[Bucket]:
    """The buckets of the sorted times[begin:end]; they start at multiples of `width`, empty ones are left out."""
    stop = len(times) if end is None else end
    found = []
    while begin < stop:
        start = times[begin] // width * width
        after = bisect_left(times, start + width, begin, stop)
        part = values[begin:after]
        low, high = min(part), max(part)
        low_ts, high_ts = times[begin + part.index(low)], times[begin + part.index(high)]
        found.append(Bucket(start, after - begin, finite(sum(part)), low, low_ts, high, high_ts))
        begin = after
    return found


def combine(buckets: Iterable[Bucket], width: int) -> list[Bucket]:
    """Buckets in order of time, put together to those of a multiple of their width."""
    found = []
    for place, group in groupby(buckets, key=lambda bucket: bucket[0] // width):
        parts = list(group)
        if len(parts) == 1:
            found.append(parts[0]._replace(start=place * width))
            continue
        low = min(parts, key=lambda part: (part[3], part[4]))
        high = min(parts, key=lambda part: (-part[5], part[6]))
        points, total = sum(part[1] for part in parts), finite(sum(part[2] for part in parts))
        found.append(Bucket(place * width, points, total, low[3], low[4], high[5], high[6]))
    return found


def block_rows(buckets: list[Bucket], width: int) -> list[tuple[int, Bucket]]:
    """(width, bucket) of every rollup row of one block that is over, from its buckets of `width`."""
    points = sum(bucket.points for bucket in buckets)
    rows: list[tuple[int, Bucket]] = []
    for wider in (TEN, MINUTE, BLOCK):
        if wider < width:
            continue
        if wider > width:
            buckets, width = combine(buckets, wider), wider
        if points >= FEWEST[wider]:
            rows += [(wider, bucket) for bucket in buckets]
    return rows


def finest(points: int) -> int:
    """The least width of which a block with so many points keeps rows."""
    return next(width for width in (TEN, MINUTE, BLOCK) if points >= FEWEST[width])


def ladder(low: int, high: int, widths: Sequence[int]) -> list[Range]:
    """[low, high) as (width, from, to) in order of time, the widest first taken; width 0 is what no width fits.

    `widths` from wide to narrow, each a multiple of the next. No range lies across a multiple of a wider width.
    """
    if low >= high:
        return []
    if not widths:
        return [(0, low, high)]
    width, *narrower = widths
    first, last = -(-low // width) * width, high // width * width
    if first > last:
        return ladder(low, high, narrower)
    middle = [(width, first, last)] if first < last else []
    return [*ladder(low, first, narrower), *middle, *ladder(last, high, narrower)]


def plan(start: int, stop: int, whole_until: int, stale: Iterable[int], widths: Sequence[int]) -> list[Range]:
    """From what [start, stop) is to be read: rollups where they tell the truth, else the points; in order of time.

    `stale` are block numbers in order; `widths` from wide to narrow, as for `ladder`.
    """
    ranges: list[Range] = []
    whole, over = min(stop, whole_until), whole_until // BLOCK * BLOCK  # the last block has only rows of ten seconds
    low = start
    for block in (*stale, None):
        high = whole if block is None else min(whole, block * BLOCK)
        if low < high:
            ranges += ladder(low, min(high, over), widths)
            ranges += ladder(max(low, over), high, [width for width in widths if width == TEN])
        if block is None or block * BLOCK >= whole:
            break
        after = min(whole, (block + 1) * BLOCK)
        if low < after:
            ranges.append((0, max(low, block * BLOCK), after))
            low = after
    if max(start, whole) < stop:
        ranges.append((0, max(start, whole), stop))
    return ranges


def joined(stretches: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Stretches (from, to) in any order, those that touch each other made one."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(stretches):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


def step_for(start: int, stop: int, buckets: int) -> int:
    """The least step whose absolute multiples cut [start, stop) into that many buckets at most."""
    for step in STEPS:
        if (stop - 1) // step - start // step < buckets:
            return step
    return STEPS[-1]


def minmax(buckets: Iterable[Bucket]) -> list[Sample]:
    """The lowest and the highest sample of each bucket, in order of time."""
    kept: set[Sample] = set()
    for _, _, _, low, low_ts, high, high_ts in buckets:
        kept.add((low_ts, low))
        kept.add((high_ts, high))
    return sorted(kept)


def lttb(samples: Sequence[Sample], wanted: int) -> list[Sample]:
    """Largest triangle three buckets (Steinarsson 2013): the points that keep the line's visual shape.

    First and last are always kept.
    """
    count = len(samples)
    if count <= wanted or wanted < 3:
        return list(samples)
    size = (count - 2) / (wanted - 2)
    origin = samples[0][0]
    times, values = [float(ts - origin) for ts, _ in samples], [value for _, value in samples]
    chosen = [0]
    for i in range(wanted - 2):
        begin, end = int(i * size) + 1, int((i + 1) * size) + 1
        after = min(int((i + 2) * size) + 1, count) if end < count - 1 else count
        t0, v0 = times[chosen[-1]], values[chosen[-1]]
        width = t0 - sum(times[end:after]) / (after - end)
        height = sum(values[end:after]) / (after - end) - v0
        best, widest = begin, -1.0
        for j in range(begin, end):
            area = abs(width * (values[j] - v0) - (t0 - times[j]) * height)
            if area > widest:
                best, widest = j, area
        chosen.append(best)
    return [*(samples[index] for index in chosen), samples[-1]]


def percentile(values: Sequence[float], percent: float) -> float:
    """The percentile of sorted values, interpolated between the two nearest (PostgreSQL's percentile_cont)."""
    place = (len(values) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(values) - 1)
    share = place - below
    return values[below] * (1 - share) + values[above] * share


@dataclass(frozen=True)
class Stretch:
    """A span in plain values: both ends inclusive, `stop` None while open, `event_ids` None for every channel."""

    public_id: str
    start: int
    stop: int | None
    event_ids: frozenset[int] | None

    def covers(self, event_id: int, ts: int) -> bool:
        """Whether a point of this channel at this time belongs here."""
        in_time = self.start <= ts and (self.stop is None or ts <= self.stop)
        return in_time and (self.event_ids is None or event_id in self.event_ids)


def stretch_of(stretches: Iterable[Stretch], event_id: int, ts: int) -> str | None:
    """The latest-started stretch that a point belongs to; `stretches` come latest-started first."""
    return next((s.public_id for s in stretches if s.covers(event_id, ts)), None)


def without(start: int, stop: int, others: Iterable[Stretch], event_id: int) -> list[tuple[int, int]]:
    """What is left of [start, stop] once the other stretches that cover the channel are cut out (inclusive ends)."""
    left = [(start, stop)]
    for other in others:
        if other.event_ids is not None and event_id not in other.event_ids:
            continue
        end = stop if other.stop is None else other.stop
        cut: list[tuple[int, int]] = []
        for low, high in left:
            if other.start > high or end < low:
                cut.append((low, high))
                continue
            if low < other.start:
                cut.append((low, other.start - 1))
            if end < high:
                cut.append((end + 1, high))
        left = cut
    return left
