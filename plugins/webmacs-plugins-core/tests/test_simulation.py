"""Simulated signals."""

import itertools
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webmacs_plugins_core import SimulatedSignal, SimulationSpec

PROFILES = ["sine_wave", "sawtooth", "random_walk", "step", "constant", "unheard of"]


def signal(profile: str, minimum: float = -1000, maximum: float = 1000, seed: str = "s", **spec) -> SimulatedSignal:
    return SimulatedSignal(SimulationSpec(profile=profile, **spec), minimum, maximum, seed)


@pytest.mark.parametrize(
    ("profile", "elapsed", "value"),
    [
        ("sine_wave", 15, 14),
        ("sine_wave", 45, 6),
        ("unheard of", 15, 14),
        ("sawtooth", 0, 6),
        ("sawtooth", 30, 10),
        ("step", 59, 14),
        ("step", 61, 6),
        ("constant", 33, 10),
    ],
)
def test_a_profile_has_its_value_after_a_time(profile, elapsed, value):
    wave = signal(profile, base_value=10, amplitude=4, period_seconds=60)
    wave.value(500.0)
    assert wave.value(500.0 + elapsed) == pytest.approx(value, abs=1e-3)


def test_a_random_walk_goes_on_from_where_it_was():
    walk = signal("random_walk", base_value=0, amplitude=100)
    values = [walk.value(float(second)) for second in range(2000)]
    steps = [later - earlier for earlier, later in itertools.pairwise(values)]
    assert statistics.pstdev(steps) == pytest.approx(5, rel=0.15)
    assert statistics.pstdev(values) > 5 * statistics.pstdev(steps)


def test_a_random_walk_wanders_equally_far_however_often_it_is_read():
    def spread(step: float) -> float:
        ends = []
        for seed in range(200):
            walk = signal("random_walk", seed=str(seed), base_value=0, amplitude=100)
            for index in range(int(20 / step) + 1):
                last = walk.value(index * step)
            ends.append(last)
        return statistics.pstdev(ends)

    assert spread(0.5) == pytest.approx(spread(5), rel=0.25)


def test_a_random_walk_stands_still_while_no_time_passes():
    walk = signal("random_walk", base_value=0, amplitude=100)
    walk.value(0.0)
    assert walk.value(10.0) == walk.value(10.0)


@given(
    st.sampled_from(PROFILES),
    st.floats(-100, 100),
    st.floats(0, 500),
    st.floats(0, 50),
    st.lists(st.floats(0, 1e5), min_size=1, max_size=20),
)
def test_every_signal_stays_inside_its_range(profile, base, amplitude, noise, pauses):
    wave = signal(profile, minimum=-50, maximum=80, base_value=base, amplitude=amplitude, noise=noise)
    for now in itertools.accumulate(pauses):
        assert -50 <= wave.value(now) <= 80


@pytest.mark.parametrize("profile", PROFILES)
def test_equal_seeds_give_equal_signals_and_others_do_not(profile):
    def run(seed: str) -> list[float]:
        wave = signal(profile, seed=seed, noise=1.0)
        return [wave.value(float(second)) for second in range(20)]

    assert run("a") == run("a")
    assert run("a") != run("b")
