"""Connecting, failing, safe values, disconnecting."""

import asyncio

import pytest
from webmacs_plugins_core import PluginConnectionError, PluginState, PluginStateError


def test_an_instance_goes_through_its_states(bench_class):
    async def run():
        plugin = bench_class()
        states = [plugin.state]
        plugin.configure({"demo_mode": False})
        states.append(plugin.state)
        await plugin.connect()
        states.append(plugin.state)
        await plugin.disconnect()
        states.append(plugin.state)
        await plugin.connect()
        return [*states, plugin.state]

    assert asyncio.run(run()) == ["discovered", "configured", "connected", "disconnected", "connected"]


def test_an_unconfigured_or_connected_instance_cannot_connect(bench, bench_class):
    with pytest.raises(PluginStateError):
        asyncio.run(bench_class().connect())
    asyncio.run(bench.connect())
    with pytest.raises(PluginStateError):
        asyncio.run(bench.connect())


def test_a_connected_instance_cannot_be_configured(bench):
    asyncio.run(bench.connect())
    with pytest.raises(PluginStateError):
        bench.configure({})


def test_demo_mode_touches_no_hardware(demo_bench):
    async def run():
        await demo_bench.connect()
        await demo_bench.read_all_inputs()
        await demo_bench.write("valve", 3)
        await demo_bench.disconnect()

    asyncio.run(run())
    assert demo_bench.calls == []
    assert demo_bench.written["valve"] == 10


def test_a_failed_connection_is_an_error_with_its_reason(bench):
    bench.broken = {"connect"}
    with pytest.raises(PluginConnectionError, match="cable cut"):
        asyncio.run(bench.connect())
    report = asyncio.run(bench.health_check())
    assert (report.state, report.status, report.error_count) == (PluginState.ERROR, "error", 1)
    assert "cable cut" in report.current_error
    assert not report.is_healthy


def test_a_connection_that_hangs_fails(bench_class):
    class Hanging(bench_class):
        connect_timeout_seconds = 0.05

        async def _do_connect(self):
            await asyncio.sleep(60)

    plugin = Hanging()
    plugin.configure({"demo_mode": False})
    with pytest.raises(PluginConnectionError, match="no answer in time"):
        asyncio.run(plugin.connect())


def test_success_resets_the_count_of_errors(bench):
    bench.broken = {"connect"}
    with pytest.raises(PluginConnectionError):
        asyncio.run(bench.connect())
    bench.broken = set()
    asyncio.run(bench.connect())
    assert asyncio.run(bench.health_check()).error_count == 0


def test_disconnecting_writes_the_safe_value_through_the_conversion(bench):
    async def run():
        await bench.connect()
        await bench.write("valve", 80)
        await bench.disconnect()

    asyncio.run(run())
    assert bench.raw["valve"] == pytest.approx(1000)
    assert "write lamp" not in bench.calls
    assert bench.calls[-1] == "disconnect"


def test_disconnecting_ends_disconnected_whatever_fails(bench):
    async def run():
        await bench.connect()
        bench.broken = {"write valve", "disconnect"}
        await bench.disconnect()
        await bench.disconnect()

    asyncio.run(run())
    assert bench.state is PluginState.DISCONNECTED


def test_a_lost_device_is_an_error_and_its_outputs_become_safe(bench):
    async def run():
        await bench.connect()
        await bench.write("valve", 80)
        bench.broken = {"read temperature", "read pressure"}
        for _ in range(4):
            await bench.read_all_inputs()

    asyncio.run(run())
    assert bench.state is PluginState.ERROR
    assert bench.raw["valve"] == pytest.approx(1000)


def test_one_bad_channel_does_not_take_the_others_down(bench):
    async def run():
        await bench.connect()
        bench.broken = {"read temperature"}
        for _ in range(20):
            await bench.read_all_inputs()

    asyncio.run(run())
    assert bench.state is PluginState.CONNECTED


def test_a_device_that_comes_back_gets_its_safe_values_first(bench):
    async def run():
        await bench.connect()
        await bench.write("valve", 80)
        bench.broken = {"read temperature", "read pressure", "write valve"}
        for _ in range(4):
            await bench.read_all_inputs()
        left_at = bench.raw["valve"]
        bench.broken = set()
        bench.calls.clear()
        await bench.reconnect()
        return left_at

    assert asyncio.run(run()) == pytest.approx(8000)
    assert bench.calls == ["disconnect", "connect", "write valve"]
    assert bench.raw["valve"] == pytest.approx(1000)
    assert bench.state is PluginState.CONNECTED


def test_an_instance_disconnected_on_purpose_is_not_reconnected(bench):
    async def run():
        await bench.connect()
        await bench.disconnect()
        await bench.reconnect()

    with pytest.raises(PluginStateError):
        asyncio.run(run())


def test_a_health_report_becomes_plain_data(bench):
    asyncio.run(bench.connect())
    report = asyncio.run(bench.health_check()).to_dict()
    assert report["plugin_id"] == "bench"
    assert report["instance_name"] == "Bench 1"
    assert report["state"] == report["status"] == "connected"
    assert report["is_healthy"] is True
    assert report["channel_count"] == 4


def test_an_instance_that_works_in_demo_mode_says_so(demo_bench):
    asyncio.run(demo_bench.connect())
    assert asyncio.run(demo_bench.health_check()).status == "demo"
