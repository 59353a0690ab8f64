"""Pure choices about series of points: which of many to show, and which stretch of time a point belongs to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Sample = tuple[int, float]  # (microseconds since 1970, value)


def stride_indices(count: int, wanted: int) -> list[int]:
    """Uniform sampling: floor(i·count/wanted) for all but the last place, which holds the last point.

    The documented rule of POST /datapoints/series; first and last are always there.
    """
    if count <= wanted:
        return list(range(count))
    stride = count / wanted
    return [int(i * stride) for i in range(wanted - 1)] + [count - 1]


def minmax(samples: Iterable[Sample], start: int, stop: int, wanted: int) -> list[Sample]:
    """The lowest and the highest sample of each of wanted//2 equal stretches of time, in order, and the last one.

    Reads the samples once and keeps two for each stretch, so memory does not grow with the history.
    """
    buckets = max(1, (wanted - 1) // 2)
    width = max(1, -(-(stop - start + 1) // buckets))
    lows: dict[int, Sample] = {}
    highs: dict[int, Sample] = {}
    last: Sample | None = None
    for sample in samples:
        bucket = (sample[0] - start) // width
        if bucket not in lows:
            lows[bucket] = highs[bucket] = sample
        elif sample[1] < lows[bucket][1]:
            lows[bucket] = sample
        elif sample[1] > highs[bucket][1]:
            highs[bucket] = sample
        last = sample
    kept = {*lows.values(), *highs.values()}
    if last is not None:
        kept.add(last)
    return sorted(kept)


def lttb(samples: Sequence[Sample], wanted: int) -> list[Sample]:
    """Largest triangle three buckets (Steinarsson 2013): the points that keep the line's visual shape.

    First and last are always kept.
    """
    count = len(samples)
    if count <= wanted or wanted < 3:
        return list(samples)
    size = (count - 2) / (wanted - 2)
    chosen = [samples[0]]
    for i in range(wanted - 2):
        begin, end = int(i * size) + 1, int((i + 1) * size) + 1
        after = samples[end : min(int((i + 2) * size) + 1, count)] or samples[-1:]
        mean_t = sum(t for t, _ in after) / len(after)
        mean_v = sum(v for _, v in after) / len(after)
        t0, v0 = chosen[-1]
        chosen.append(
            max(
                samples[begin:end],
                key=lambda s: abs((t0 - mean_t) * (s[1] - v0) - (t0 - s[0]) * (mean_v - v0)),
            )
        )
    chosen.append(samples[-1])
    return chosen


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
