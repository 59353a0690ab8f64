"""The driver on the machine that runs the tests, and what it makes of systems that tell less."""

import asyncio
import time
from types import SimpleNamespace

import psutil
import pytest
from webmacs_plugin_system import SystemPlugin, host
from webmacs_plugins_core import PluginConfigError, channels_of
from webmacs_plugins_core.conformance import ConformanceSuite

UNITS = {
    "cpu_percent": "%",
    "memory_percent": "%",
    "memory_used_gb": "GB",
    "disk_percent": "%",
    "disk_used_gb": "GB",
    "load_avg_1m": "load",
    "cpu_temp": "°C",
    "net_received_kb_s": "kB/s",
    "net_sent_kb_s": "kB/s",
    "disk_read_kb_s": "kB/s",
    "disk_written_kb_s": "kB/s",
    "uptime_h": "h",
}
RATES = {"net_received_kb_s", "net_sent_kb_s", "disk_read_kb_s", "disk_written_kb_s"}


class TestConformance(ConformanceSuite):
    plugin_class = SystemPlugin


class Sweeps:
    """Readings of a connected, real instance."""

    def __init__(self, clock=time.monotonic, **config):
        self.plugin = SystemPlugin(clock=clock)
        self.plugin.configure({"demo_mode": False, **config})
        asyncio.run(self.plugin.connect())

    def next(self):
        return asyncio.run(self.plugin.read_all_inputs())


def test_it_has_the_documented_channels():
    channels = channels_of(SystemPlugin)
    assert {channel.id: channel.unit for channel in channels} == UNITS
    assert all(channel.direction == "input" and channel.min_value == 0 for channel in channels)


def test_the_ranges_are_those_of_this_host():
    ranges = {channel.id: channel.max_value for channel in channels_of(SystemPlugin)}
    assert ranges["memory_used_gb"] == pytest.approx(psutil.virtual_memory().total / 1e9, abs=0.1)
    assert ranges["disk_used_gb"] == pytest.approx(psutil.disk_usage("/").total / 1e9, abs=0.1)


def test_the_ranges_are_generous_where_the_sizes_are_not_known():
    ranges = {channel.id: channel.max_value for channel in channels_of(SystemPlugin, {"disk_path": "/no/such/path"})}
    assert ranges["disk_used_gb"] == 10_000


def test_it_measures_this_host():
    sweeps = Sweeps()
    sweeps.next()
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        sum(range(1000))
    sweep = sweeps.next()
    assert 0 < sweep["cpu_percent"] <= 100
    assert sweep["memory_percent"] == pytest.approx(psutil.virtual_memory().percent, abs=5)
    assert 0 < sweep["memory_used_gb"] < psutil.virtual_memory().total / 1e9
    assert sweep["disk_percent"] == pytest.approx(psutil.disk_usage("/").percent, abs=2)
    assert sweep["load_avg_1m"] >= 0
    assert sweep["uptime_h"] > 0


def test_the_first_reading_has_no_rates():
    first = Sweeps().next()
    assert {channel_id for channel_id in RATES if first[channel_id] is not None} == set()
    assert first["cpu_percent"] is None


def test_rates_are_of_the_counters_between_two_readings(monkeypatch):
    counts = {
        "eth0": SimpleNamespace(bytes_recv=1_000_000, bytes_sent=0),
        "lo": SimpleNamespace(bytes_recv=9, bytes_sent=9),
    }
    disks = SimpleNamespace(read_bytes=0, write_bytes=0)
    monkeypatch.setattr(psutil, "net_io_counters", lambda **_: counts)
    monkeypatch.setattr(psutil, "disk_io_counters", lambda: disks)
    now = [100.0]
    sweeps = Sweeps(clock=lambda: now[0])
    sweeps.next()
    now[0] += 2
    counts["eth0"].bytes_recv += 50_000
    counts["eth0"].bytes_sent += 4_000
    counts["lo"].bytes_recv += 10**9
    disks.read_bytes, disks.write_bytes = 6_000, 20_000
    sweep = sweeps.next()
    assert {channel_id: sweep[channel_id] for channel_id in RATES} == {
        "net_received_kb_s": 25,
        "net_sent_kb_s": 2,
        "disk_read_kb_s": 3,
        "disk_written_kb_s": 10,
    }


def test_chosen_interfaces_alone_are_summed(monkeypatch):
    counters = {name: SimpleNamespace(bytes_recv=1000, bytes_sent=2000) for name in ("eth0", "eth1", "lo", "docker0")}
    monkeypatch.setattr(psutil, "net_io_counters", lambda **_: counters)
    assert host.network_kb([]) == (2, 4)
    assert host.network_kb(["eth1"]) == (1, 2)
    assert host.network_kb(["lo"]) == (1, 2)
    assert host.network_kb(["wlan0"]) is None


def test_a_reconnected_instance_forgets_its_counters():
    sweeps = Sweeps()
    sweeps.next()
    asyncio.run(sweeps.plugin.disconnect())
    asyncio.run(sweeps.plugin.connect())
    assert sweeps.next()["cpu_percent"] is None


def test_what_cannot_be_measured_reads_as_null_and_is_no_error(monkeypatch):
    def refuse(*_args, **_options):
        raise PermissionError("not in this container")

    for name in ("disk_io_counters", "net_io_counters", "sensors_temperatures", "getloadavg"):
        monkeypatch.setattr(psutil, name, refuse)
    sweeps = Sweeps(disk_path="/no/such/path")
    sweep = sweeps.next()
    missing = {"disk_percent", "disk_used_gb", "load_avg_1m", "cpu_temp", *RATES}
    assert {channel_id for channel_id, value in sweep.items() if value is None} == missing | {"cpu_percent"}
    assert asyncio.run(sweeps.plugin.health_check()).error_count == 0


@pytest.mark.parametrize(
    ("sensors", "expected"),
    [
        ({}, None),
        ({"acpitz": [30.0], "k10temp": [61.0], "coretemp": [48.0, 55.0]}, 55.0),
        ({"acpitz": [30.0], "k10temp": [61.0]}, 61.0),
        ({"nvme": [38.0]}, 38.0),
        ({"coretemp": [], "nvme": [38.0]}, 38.0),
    ],
)
def test_the_temperature_is_that_of_the_preferred_sensor(monkeypatch, sensors, expected):
    readings = {name: [SimpleNamespace(current=value) for value in values] for name, values in sensors.items()}
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: readings, raising=False)
    assert host.processor_temperature() == expected


def test_a_system_without_sensors_has_no_temperature(monkeypatch):
    monkeypatch.delattr(psutil, "sensors_temperatures", raising=False)
    assert host.processor_temperature() is None


def test_a_slow_system_call_does_not_stop_the_event_loop(monkeypatch):
    monkeypatch.setattr(host, "memory_percent", lambda: time.sleep(0.2) or 50.0)
    plugin = SystemPlugin()
    plugin.configure({"demo_mode": False})

    async def run():
        await plugin.connect()
        reading = asyncio.create_task(plugin.read("memory_percent"))
        ticks = 0
        while not reading.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks, reading.result()

    ticks, value = asyncio.run(run())
    assert ticks >= 5
    assert value == 50


def test_an_empty_disk_path_is_refused():
    with pytest.raises(PluginConfigError):
        channels_of(SystemPlugin, {"disk_path": ""})
