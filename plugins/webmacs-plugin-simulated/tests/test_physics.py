"""The formulas against values that can be looked up or derived by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webmacs_plugin_simulated import physics

BED = {"voidage": 0.45, "diameter": 430e-6, "solid_density": 2500.0, "density": 1.2, "viscosity": 1.8e-5}
velocities = st.floats(0, 3)


def drop(velocity: float) -> float:
    return physics.bed_pressure_drop(velocity, 0.35, **BED)


def test_air_has_its_tabulated_density_and_viscosity():
    assert physics.air_density(0, 101_325) == pytest.approx(1.293, abs=0.001)
    assert physics.air_density(20, 101_325) == pytest.approx(1.204, abs=0.001)
    assert physics.air_viscosity(0) == pytest.approx(1.716e-5, rel=1e-6)
    assert physics.air_viscosity(20) == pytest.approx(1.81e-5, rel=0.01)
    assert physics.air_viscosity(300) == pytest.approx(2.93e-5, rel=0.02)


@pytest.mark.parametrize(("celsius", "pascal"), [(0, 611), (20, 2339), (50, 12_352), (100, 101_420)])
def test_water_has_its_tabulated_vapour_pressure(celsius, pascal):
    assert physics.saturation_pressure(celsius) == pytest.approx(pascal, rel=0.03)


@given(st.floats(0, 50_000))
def test_humidity_ratio_and_vapour_pressure_are_inverse(pascal):
    ratio = physics.humidity_ratio(pascal, 101_325)
    assert physics.vapour_pressure(ratio, 101_325) == pytest.approx(pascal, rel=1e-9, abs=1e-9)


def test_erguns_equation_gives_the_sum_of_its_two_terms():
    # 150·0.6²/0.4³·1.8e-5·0.1/0.001² = 1518.75 and 1.75·0.6/0.4³·1.2·0.01/0.001 = 196.875, both Pa/m
    given_drop = physics.ergun_pressure_drop(0.1, 2.0, 0.4, 0.001, 1.2, 1.8e-5)
    assert given_drop == pytest.approx(2 * (1518.75 + 196.875))


@given(velocities, velocities)
def test_the_pressure_drop_never_falls_with_the_velocity(one, other):
    slow, fast = sorted((one, other))
    assert drop(slow) <= drop(fast)


def test_the_plateau_begins_at_minimum_fluidisation():
    onset = physics.minimum_fluidisation_velocity(**BED)
    weight = physics.bed_weight(0.35, BED["voidage"], BED["solid_density"], BED["density"])
    assert drop(0.99 * onset) < weight
    assert drop(1.01 * onset) == weight
    assert drop(10 * onset) == weight
    assert physics.ergun_pressure_drop(
        onset, 0.35, BED["voidage"], BED["diameter"], BED["density"], BED["viscosity"]
    ) == pytest.approx(weight)


@given(st.floats(0.2, 10))
def test_an_orifice_follows_the_square_root(difference):
    assert physics.orifice_flow(5, difference) == pytest.approx(5 * difference**0.5, rel=1e-3)


@given(st.floats(-10, 0))
def test_nothing_flows_backwards_through_an_orifice(difference):
    assert physics.orifice_flow(5, difference) == 0


@pytest.mark.parametrize(("value", "share"), [(-1, 0), (2, 0), (3, 0.5), (4, 1), (9, 1)])
def test_a_ramp_goes_from_nothing_to_one(value, share):
    assert physics.ramp(value, 2, 4) == share
