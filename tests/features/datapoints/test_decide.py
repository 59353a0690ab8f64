"""Which samples stand for many, and which stretch a point belongs to: pure functions against plain definitions."""

import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmacs.features.datapoints.decide import (
    BLOCK,
    MINUTE,
    SECOND,
    STEPS,
    TEN,
    WIDTHS,
    Bucket,
    Stretch,
    block_rows,
    combine,
    finest,
    finite,
    lttb,
    minmax,
    plan,
    step_for,
    stretch_of,
    stride_indices,
    summarize,
    without,
)

TIMES = st.lists(st.integers(0, 10_000), min_size=1, max_size=300, unique=True).map(sorted)


@st.composite
def series(draw):
    times = draw(TIMES)
    values = draw(st.lists(st.floats(-1e6, 1e6), min_size=len(times), max_size=len(times)))
    return list(zip(times, values, strict=True))


@given(count=st.integers(1, 5000), wanted=st.integers(2, 500))
def test_uniform_sampling_takes_the_documented_places(count, wanted):
    places = stride_indices(count, wanted)
    if count <= wanted:
        assert places == list(range(count))
    else:
        assert places == [math.floor(i * (count / wanted)) for i in range(wanted - 1)] + [count - 1]
        assert len(places) == len(set(places)) == wanted


def plainly(samples, step):
    """The buckets by their definition."""
    groups = {}
    for ts, value in samples:
        groups.setdefault(ts // step * step, []).append((ts, value))
    return [
        Bucket(
            start,
            len(mine),
            pytest.approx(sum(value for _, value in mine)),
            *min(((value, ts) for ts, value in mine)),
            *max(((value, -ts) for ts, value in mine)),
        )
        for start, mine in groups.items()
    ]


@given(samples=series(), step=st.integers(1, 3000), factor=st.integers(1, 5))
def test_buckets_are_what_their_definition_says_however_they_are_put_together(samples, step, factor):
    times, values = zip(*samples, strict=True)
    for found, width in (
        (summarize(times, values, step), step),
        (combine(summarize(times, values, step), step * factor), step * factor),
    ):
        for mine, plain in zip(found, plainly(samples, width), strict=True):
            assert mine._replace(high_ts=-mine.high_ts) == plain
    kept = minmax(summarize(times, values, step))
    assert kept == sorted({s for b in summarize(times, values, step) for s in ((b.low_ts, b.low), (b.high_ts, b.high))})
    assert set(kept) <= set(samples)


@given(start=st.integers(0, 10**16), length=st.integers(1, 10**15), buckets=st.integers(1, 1000))
def test_a_step_cuts_a_window_into_as_many_buckets_as_were_asked_for_at_most(start, length, buckets):
    step = step_for(start, start + length, buckets)
    number = (start + length - 1) // step - start // step + 1
    assert number <= buckets or step == STEPS[-1]
    smaller = [other for other in STEPS if other < step]
    assert not smaller or (start + length - 1) // smaller[-1] - start // smaller[-1] + 1 > buckets


@given(
    window=st.tuples(st.integers(0, 400_000), st.integers(0, 400_000)).map(sorted),
    whole_until=st.integers(0, 40_000).map(lambda n: n * TEN // SECOND),
    stale=st.sets(st.integers(0, 700), max_size=6).map(sorted),
    widest=st.integers(0, len(WIDTHS)),
)
def test_a_plan_reads_everything_once_and_no_rollup_that_may_lie(window, whole_until, stale, widest):
    start, stop, whole_until = window[0] * SECOND, window[1] * SECOND, whole_until * SECOND
    ranges = plan(start, stop, whole_until, stale, WIDTHS[:widest][::-1])
    at = start
    for width, low, high in ranges:
        assert (low, low < high) == (at, True)
        at = high
        if width:
            assert (low % width, high % width) == (0, 0)
            assert high <= whole_until
            assert width == TEN or high <= whole_until // BLOCK * BLOCK
            assert not any(low < (block + 1) * BLOCK and block * BLOCK < high for block in stale)
            wider = [other for other in WIDTHS[:widest] if other > max(width, MINUTE)]
            assert all(low // other == (high - 1) // other for other in wider)
    assert at == max(start, stop)


def test_sums_that_leave_the_doubles_stay_numbers():
    huge = summarize([1, 2], [1.7e308, 1.7e308], 10)
    assert huge[0].total == combine(huge * 2, 10)[0].total == sys.float_info.max
    assert finite(math.nan) == 0
    assert finite(-math.inf) == -sys.float_info.max


def test_blocks_with_few_points_keep_no_fine_rows():
    for points, widths in (
        (199, [BLOCK]),
        (200, [MINUTE, BLOCK]),
        (1199, [MINUTE, BLOCK]),
        (1200, [TEN, MINUTE, BLOCK]),
    ):
        times = range(0, BLOCK, -(-BLOCK // points))[:points]
        times = [*times, *range(times[-1] + 1, times[-1] + 1 + points - len(times))]
        rows = block_rows(summarize(times, [1.0] * points, finest(points)), finest(points))
        assert sorted({width for width, _ in rows}) == widths
        for width in widths:
            assert sum(bucket.points for w, bucket in rows if w == width) == points


@given(samples=series(), wanted=st.integers(3, 60))
def test_lttb_keeps_both_ends_and_invents_nothing(samples, wanted):
    kept = lttb(samples, wanted)
    assert len(kept) == min(len(samples), wanted)
    assert (kept[0], kept[-1]) == (samples[0], samples[-1])
    assert kept == sorted(set(kept))
    assert set(kept) <= set(samples)


def test_lttb_keeps_a_lone_spike():
    samples = [(i, 0.0) for i in range(1000)]
    samples[517] = (517, 100.0)
    assert (517, 100.0) in lttb(samples, 20)


def test_a_point_belongs_to_the_stretch_that_started_last():
    early, late = Stretch("early", 0, None, None), Stretch("late", 50, 100, frozenset({1}))
    order = [late, early]
    assert stretch_of(order, 1, 49) == "early"
    assert stretch_of(order, 1, 50) == "late"
    assert stretch_of(order, 1, 100) == "late"
    assert stretch_of(order, 1, 101) == "early"
    assert stretch_of(order, 2, 60) == "early"
    assert stretch_of([late], 2, 60) is None


INTERVAL = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted)


@given(mine=INTERVAL, others=st.lists(st.tuples(INTERVAL, st.booleans(), st.booleans()), max_size=5))
def test_what_is_left_are_the_moments_that_no_other_stretch_covers(mine, others):
    stretches = [
        Stretch(str(i), low, None if is_open else high, None if is_mine else frozenset({2}))
        for i, ((low, high), is_open, is_mine) in enumerate(others)
    ]
    left = without(mine[0], mine[1], stretches, event_id=1)
    kept = {ts for low, high in left for ts in range(low, high + 1)}
    assert kept == {ts for ts in range(mine[0], mine[1] + 1) if not any(s.covers(1, ts) for s in stretches)}
