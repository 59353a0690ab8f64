"""Which samples stand for many, and which stretch a point belongs to: pure functions against plain definitions."""

import math

from hypothesis import given
from hypothesis import strategies as st

from webmacs.features.datapoints.decide import Stretch, lttb, minmax, stretch_of, stride_indices, without

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


@given(samples=series(), wanted=st.integers(3, 60))
def test_minmax_keeps_the_extremes_of_every_stretch_and_the_last_sample(samples, wanted):
    start, stop = samples[0][0], samples[-1][0]
    kept = minmax(samples, start, stop, wanted)
    assert len(kept) <= wanted
    assert kept == sorted(set(kept))
    assert set(kept) <= set(samples)
    assert kept[-1] == samples[-1]
    buckets = max(1, (wanted - 1) // 2)
    width = max(1, -(-(stop - start + 1) // buckets))
    for bucket in {(ts - start) // width for ts, _ in samples}:
        raw = [value for ts, value in samples if (ts - start) // width == bucket]
        shown = [value for ts, value in kept if (ts - start) // width == bucket]
        assert (min(shown), max(shown)) == (min(raw), max(raw))


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
