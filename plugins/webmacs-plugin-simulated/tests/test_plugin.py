"""The driver around the plant: time, sensors, actuators, faults, configuration."""

import asyncio

import pytest
from webmacs_plugin_simulated import Fault, SimulatedPlugin
from webmacs_plugin_simulated.faults import FAULT_LABELS, fault_of
from webmacs_plugins_core import PluginConfigError, PluginState, channels_of, config_json_schema
from webmacs_plugins_core.conformance import ConformanceSuite

INPUTS = {
    "temp_reactor": ("°C", 20, 500),
    "temp_inlet": ("°C", 15, 200),
    "temp_outlet": ("°C", 15, 300),
    "pressure_chamber": ("bar", 0, 6),
    "pressure_diff": ("mbar", 0, 100),
    "volume_flow": ("m³/h", 0, 40),
    "humidity": ("%", 0, 100),
}


class TestConformance(ConformanceSuite):
    plugin_class = SimulatedPlugin


class Clock:
    def __init__(self):
        self.now = 50.0

    def __call__(self):
        return self.now


class Bench:
    """A connected instance whose time a test moves."""

    def __init__(self, **config):
        self.clock = Clock()
        self.plugin = SimulatedPlugin(clock=self.clock)
        self.plugin.configure({"instance_name": "Plant", **config})
        asyncio.run(self.plugin.connect())

    def read(self, channel_id, after=0.0):
        self.clock.now += after
        return asyncio.run(self.plugin.read(channel_id))

    def sweep(self, after=0.0):
        self.clock.now += after
        return asyncio.run(self.plugin.read_all_inputs())

    def write(self, channel_id, value):
        return asyncio.run(self.plugin.write(channel_id, value))


def test_it_has_the_documented_channels():
    channels = {channel.id: channel for channel in channels_of(SimulatedPlugin)}
    shown = {
        channel.id: (channel.unit, channel.min_value, channel.max_value)
        for channel in channels.values()
        if channel.is_input
    }
    assert shown == INPUTS
    outputs = {channel.id: channel.safe_value for channel in channels.values() if channel.is_output}
    assert outputs == {"heater_power": 0, "valve_position": 0, "fault": None}
    assert channels["fault"].ui_hints["options"]["2"] == "Blocked outlet filter"


def test_every_fault_has_a_label():
    assert set(FAULT_LABELS) == set(Fault)


@pytest.mark.parametrize(("value", "fault"), [(-3, 0), (0.4, 0), (1.6, 2), (5, 5), (99, 7)])
def test_any_number_names_a_fault(value, fault):
    assert fault_of(value) == fault


def test_it_is_always_in_demo_mode_and_says_so():
    bench = Bench(demo_mode=False)
    assert bench.plugin.demo_mode
    assert asyncio.run(bench.plugin.health_check()).status == "demo"


def test_it_lives_without_anybody_touching_it():
    bench = Bench()
    sweeps = [bench.sweep(after=1) for _ in range(60)]
    for channel_id in INPUTS:
        assert len({sweep[channel_id] for sweep in sweeps}) > 10, channel_id
    assert all(120 < sweep["temp_reactor"] < 200 for sweep in sweeps)


def test_equal_seeds_and_times_give_equal_readings():
    def run(**config):
        bench = Bench(**config)
        return [bench.sweep(after=1) for _ in range(5)]

    assert run() == run()
    assert run(seed=0) == run(seed=0)
    assert run(seed=0) != run(seed=1)


def test_readings_at_one_moment_belong_together():
    bench = Bench()
    assert bench.sweep(after=1) == bench.sweep()


def test_the_heater_heats_the_bed():
    bench = Bench(noise=0)
    before = bench.read("temp_reactor")
    assert bench.write("heater_power", 130) == 100
    assert bench.read("heater_power") == 100
    assert bench.read("temp_reactor", after=60) > before + 5


def test_the_valve_moves_the_gas():
    bench = Bench(noise=0)
    bench.write("valve_position", 0)
    assert bench.read("volume_flow", after=30) < 0.1
    assert bench.read("valve_position") == pytest.approx(0, abs=0.01)


def test_disconnecting_shuts_heater_and_valve():
    bench = Bench()
    asyncio.run(bench.plugin.disconnect())
    assert bench.plugin.state is PluginState.DISCONNECTED
    asyncio.run(bench.plugin.connect())
    assert bench.read("heater_power") == 0
    assert bench.read("volume_flow", after=120) < 1
    assert bench.read("pressure_chamber") < 0.05


def test_a_cold_start_warms_up():
    bench = Bench(start="cold", noise=0)
    assert bench.read("temp_reactor") == pytest.approx(22)
    assert bench.read("temp_reactor", after=300) > 40


def test_time_can_run_faster():
    def warmed(scale):
        bench = Bench(start="cold", noise=0, time_scale=scale)
        return bench.read("temp_reactor", after=30)

    assert warmed(10) > warmed(1) + 10


def test_noise_can_be_switched_off():
    bench = Bench(noise=0, start="cold", heater_percent=0, valve_percent=0)
    assert {bench.read("temp_inlet", after=1) for _ in range(10)} == {22.0}


def test_a_stuck_sensor_keeps_its_value_until_the_fault_is_gone():
    bench = Bench()
    bench.write("heater_power", 100)
    held = bench.read("temp_reactor", after=1)
    bench.write("fault", Fault.STUCK_SENSOR)
    assert {bench.read("temp_reactor", after=30) for _ in range(5)} == {held}
    bench.write("fault", Fault.NONE)
    assert bench.read("temp_reactor", after=1) > held + 5


def test_a_lost_sensor_reads_as_null_and_the_others_go_on():
    bench = Bench()
    bench.write("fault", Fault.SENSOR_LOSS)
    sweep = bench.sweep(after=1)
    assert sweep.pop("temp_reactor") is None
    assert None not in sweep.values()
    assert bench.read("fault") == 4


def test_a_drifting_sensor_moves_away_from_the_truth():
    bench = Bench(noise=0)
    before = bench.read("temp_inlet")
    bench.write("fault", Fault.SENSOR_DRIFT)
    bench.read("temp_inlet", after=0.1)
    assert bench.read("temp_inlet", after=300) == pytest.approx(before + 5, abs=1)


def test_a_configured_fault_comes_by_itself_and_can_be_cleared():
    bench = Bench(fault=4, fault_after_seconds=10)
    assert bench.read("temp_reactor", after=5) is not None
    assert bench.read("temp_reactor", after=6) is None
    bench.write("fault", 0)
    assert bench.read("temp_reactor", after=1) is not None


def test_a_configured_fault_stays_away_once_the_channel_is_written():
    bench = Bench(fault=4, fault_after_seconds=10)
    bench.write("fault", 0)
    assert bench.read("temp_reactor", after=20) is not None


@pytest.mark.parametrize("wrong", [{"fault": 8}, {"time_scale": 11}, {"heater_percent": 101}, {"start": "lukewarm"}])
def test_an_impossible_configuration_is_refused(wrong):
    with pytest.raises(PluginConfigError):
        channels_of(SimulatedPlugin, wrong)


def test_the_configuration_form_offers_the_plants_fields():
    assert list(config_json_schema(SimulatedPlugin)["properties"])[3:6] == ["start", "heater_percent", "valve_percent"]
