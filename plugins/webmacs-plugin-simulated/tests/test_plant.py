"""The plant's behaviour, by what one would see at a real one."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from webmacs_plugin_simulated import Fault, OperatingPoint, Plant, physics
from webmacs_plugin_simulated.parameters import PlantParameters
from webmacs_plugin_simulated.plant import Measurement
from webmacs_plugin_simulated.sensors import RANGES

PARAMETERS = PlantParameters()

actions = st.tuples(st.floats(0, 100), st.floats(0, 100), st.sampled_from(Fault), st.floats(0.01, 1000) | st.just(1e-6))


def settled(heater: float, valve: float, fault: Fault = Fault.NONE) -> Plant:
    return Plant.settled(PARAMETERS, OperatingPoint(heater, valve, fault))


def after(plant: Plant, seconds: float, **point: object) -> Measurement:
    plant.point = OperatingPoint(
        **{
            "heater_percent": plant.point.heater_percent,
            "valve_percent": plant.point.valve_percent,
            "fault": plant.point.fault,
            **point,
        }
    )
    plant.advance(seconds)
    return plant.measure()


def test_a_settled_plant_stays_where_it_is():
    plant = settled(35, 50)
    before = plant.measure()
    later = after(plant, 1800)
    assert later.temp_reactor == pytest.approx(before.temp_reactor, abs=2)
    assert later.temp_outlet == pytest.approx(before.temp_outlet, abs=2)
    assert later.volume_flow == pytest.approx(before.volume_flow, rel=0.04)


def test_the_plant_at_its_start_is_warm_fluidised_and_drying():
    now = settled(35, 50).measure()
    assert 120 < now.temp_reactor < 200
    assert now.temp_inlet < now.temp_outlet < now.temp_reactor
    assert now.fluidisation > 1.2
    assert 15 < now.volume_flow < 25
    assert 2 < now.humidity < 20


def test_heating_raises_the_bed_with_a_lag():
    plant = settled(35, 50)
    start = plant.measure().temp_reactor
    first = after(plant, 5, heater_percent=100).temp_reactor - start
    for _ in range(5):
        plant.advance(5)
    later = plant.measure().temp_reactor
    plant.advance(5)
    fifth = plant.measure().temp_reactor - later
    assert 0 < first < 0.6 * fifth
    assert after(plant, 3600).temp_reactor > start + 100


def test_the_bed_cools_when_the_heater_goes_off():
    plant = settled(35, 50)
    start = plant.measure().temp_reactor
    assert after(plant, 60, heater_percent=0).temp_reactor < start - 5


def test_more_gas_carries_more_heat_away():
    assert settled(35, 80).measure().temp_reactor < settled(35, 40).measure().temp_reactor - 20


def test_the_outlet_follows_the_bed():
    plant = settled(20, 50)
    start = plant.measure()
    later = after(plant, 1200, heater_percent=60)
    assert later.temp_reactor > start.temp_reactor + 50
    assert start.temp_outlet + 25 < later.temp_outlet < later.temp_reactor


def test_flow_raises_the_pressure_drop_until_the_bed_is_fluidised():
    drops = [settled(0, valve).measure() for valve in range(0, 101, 5)]
    fixed = [now for now in drops if now.fluidisation < 0.98]
    fluidised = [now for now in drops if now.fluidisation > 1.02]
    assert len(fixed) >= 4
    assert len(fluidised) >= 4
    for earlier, later in itertools.pairwise(fixed):
        assert later.volume_flow > earlier.volume_flow
        assert later.pressure_diff > earlier.pressure_diff
    plateau = [now.pressure_diff for now in fluidised]
    assert max(plateau) - min(plateau) < 0.1
    assert plateau[0] > fixed[-1].pressure_diff


def test_humidity_falls_with_temperature():
    by_heater = [settled(heater, 50).measure() for heater in range(0, 101, 10)]
    for cooler, warmer in itertools.pairwise(by_heater):
        assert warmer.temp_outlet > cooler.temp_outlet
        assert warmer.humidity < cooler.humidity


def test_the_valve_moves_with_a_lag():
    plant = settled(0, 0)
    assert after(plant, 1, valve_percent=100).volume_flow < 0.6 * after(plant, 30).volume_flow


def test_safe_outputs_lead_to_a_cold_plant_without_pressure():
    plant = settled(60, 60)
    soon = after(plant, 120, heater_percent=0, valve_percent=0)
    assert soon.pressure_chamber < 0.01
    assert soon.volume_flow < 0.01
    cold = after(plant, 4 * 3600)
    ambient = PARAMETERS.ambient_celsius
    assert cold.temp_reactor == pytest.approx(ambient, abs=2)
    assert cold.temp_inlet == pytest.approx(ambient, abs=0.5)
    assert cold.temp_outlet == pytest.approx(ambient, abs=0.5)
    assert cold.pressure_diff == 0
    assert cold.humidity == pytest.approx(PARAMETERS.ambient_humidity_percent, abs=2)


def test_the_heat_that_goes_in_goes_out_again_when_settled():
    plant = settled(35, 50)
    state = plant.state
    p = PARAMETERS
    gas = plant.measure().volume_flow / 3600 * physics.NORMAL_DENSITY_AIR
    heating = 0.35 * (p.wall_heater_watts + p.preheater_watts)
    above = [value - p.ambient_celsius for value in (state.wall, state.bed, state.inlet, state.outlet)]
    losses = p.wall_loss * above[0] + p.bed_loss * above[1] + p.preheater_loss * above[2] + p.freeboard_loss * above[3]
    carried = gas * physics.HEAT_CAPACITY_AIR * above[3]
    ambient_vapour = p.ambient_humidity_percent / 100 * physics.saturation_pressure(p.ambient_celsius)
    taken_up = state.moisture - physics.humidity_ratio(ambient_vapour, physics.NORMAL_PRESSURE)
    drying = gas * taken_up * physics.HEAT_OF_EVAPORATION
    assert losses + carried + drying == pytest.approx(heating, rel=0.03)


def test_the_limiters_keep_the_bed_within_bounds_without_cooling():
    now = settled(100, 0).measure()
    assert now.temp_reactor < 490
    assert now.temp_inlet < 190


@pytest.mark.parametrize("steps", [1, 7, 600])
def test_the_way_time_is_cut_hardly_matters(steps):
    plant = Plant(point=OperatingPoint(80, 40))
    for _ in range(steps):
        plant.advance(600 / steps)
    whole = Plant(point=OperatingPoint(80, 40))
    whole.advance(600)
    assert plant.seconds == pytest.approx(600)
    assert plant.measure().temp_reactor == pytest.approx(whole.measure().temp_reactor, abs=0.01)
    assert plant.measure().pressure_chamber == pytest.approx(whole.measure().pressure_chamber, abs=1e-3)


def test_no_time_changes_nothing():
    plant = settled(35, 50)
    before = plant.state
    plant.advance(0)
    plant.advance(-5)
    assert plant.state == before


@settings(max_examples=40, deadline=None)
@given(st.lists(actions, min_size=1, max_size=4))
def test_the_plant_stays_finite_and_inside_the_sensors_ranges_whatever_is_done(sequence):
    plant = Plant()
    for heater, valve, fault, seconds in sequence:
        plant.point = OperatingPoint(heater, valve, fault)
        plant.advance(seconds)
        now = plant.measure()
        assert all(math.isfinite(value) for value in plant.state)
        for channel_id, (low, high) in RANGES.items():
            assert low <= getattr(now, channel_id) <= high, channel_id


def test_a_failed_heater_lets_the_bed_cool():
    plant = settled(35, 50)
    start = plant.measure().temp_reactor
    assert after(plant, 300, fault=Fault.HEATER_FAILURE).temp_reactor < start - 30


def test_a_blocked_filter_raises_the_pressure_and_throttles_the_flow():
    plant = settled(35, 50)
    start = plant.measure()
    later = after(plant, 300, fault=Fault.BLOCKED_FILTER)
    assert later.pressure_chamber > 3 * start.pressure_chamber
    assert later.volume_flow < 0.7 * start.volume_flow


def test_a_leak_lowers_the_pressure():
    plant = settled(35, 50)
    start = plant.measure()
    later = after(plant, 120, fault=Fault.LEAK)
    assert later.pressure_chamber < 0.6 * start.pressure_chamber


def test_a_stuck_valve_does_not_follow():
    plant = settled(35, 50)
    after(plant, 60, fault=Fault.STUCK_VALVE, valve_percent=0)
    assert plant.state.valve == pytest.approx(50)
    after(plant, 60, fault=Fault.NONE)
    assert plant.state.valve == pytest.approx(0, abs=0.01)
