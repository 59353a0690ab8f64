"""The registry, and the monitor that reconnects what failed."""

import asyncio

import pytest
from webmacs_plugins_core import (
    HealthMonitor,
    PluginConfigError,
    PluginConnectionError,
    PluginLoadError,
    PluginState,
    Registry,
)

HARDWARE = {"demo_mode": False}


@pytest.fixture
def registry(bench_class):
    return Registry({"bench": bench_class})


def test_instances_are_numbered_unless_they_are_given_an_id(registry):
    made = [registry.create("bench"), registry.create("bench"), registry.create("bench", {}, "mine")]
    assert [plugin.instance_id for plugin in made] == ["bench-1", "bench-2", "mine"]
    assert len(registry) == 3
    assert "mine" in registry


def test_what_cannot_be_created_says_why(registry):
    registry.create("bench", {}, "mine")
    with pytest.raises(PluginLoadError, match="not installed"):
        registry.create("unheard-of")
    with pytest.raises(PluginLoadError, match="already"):
        registry.create("bench", {}, "mine")
    with pytest.raises(PluginConfigError):
        registry.create("bench", {"poll_interval_ms": 0})
    with pytest.raises(PluginLoadError):
        registry.get("nobody")
    assert len(registry) == 1


def test_a_constructor_that_fails_is_a_load_error(registry, bench_class):
    def explode(self):
        raise RuntimeError("no licence")

    registry.register(type("Exploding", (bench_class,), {"__init__": explode}))
    with pytest.raises(PluginLoadError, match="no licence"):
        registry.create("bench")


def test_the_inputs_of_all_connected_instances_come_as_one_list_without_nulls(registry):
    async def run():
        first, second, _unconnected = (registry.create("bench", HARDWARE) for _ in range(3))
        first.raw["pressure"] = None
        await registry.connect(first.instance_id)
        await registry.connect(second.instance_id)
        return await registry.read_all_inputs()

    assert asyncio.run(run()) == [
        {"instance_id": "bench-1", "channel_id": "temperature", "value": 18},
        {"instance_id": "bench-2", "channel_id": "temperature", "value": 18},
        {"instance_id": "bench-2", "channel_id": "pressure", "value": 50},
    ]


def test_reading_writing_and_health_go_by_instance(registry):
    async def run():
        registry.create("bench", HARDWARE, "mine")
        await registry.connect("mine")
        assert await registry.read("mine", "temperature") == 18
        assert await registry.write("mine", "valve", 12) == 12
        return await registry.health_reports()

    assert [report.instance_id for report in asyncio.run(run())] == ["mine"]


def test_disconnecting_all_makes_all_safe_at_the_same_time(registry):
    async def run():
        plugins = [registry.create("bench", HARDWARE) for _ in range(3)]
        for plugin in plugins:
            await plugin.connect()
            await plugin.write("valve", 80)
        await registry.disconnect_all()
        return [(plugin.state, plugin.written["valve"]) for plugin in plugins]

    assert asyncio.run(run()) == [(PluginState.DISCONNECTED, 10)] * 3


def test_a_removed_instance_is_disconnected_and_gone(registry):
    async def run():
        plugin = registry.create("bench", HARDWARE, "mine")
        await plugin.connect()
        await registry.remove("mine")
        await registry.remove("mine")
        return plugin.state

    assert asyncio.run(run()) is PluginState.DISCONNECTED
    assert "mine" not in registry


async def broken_instance(registry, **policy):
    plugin = registry.create("bench", {**HARDWARE, "retry_policy": policy})
    plugin.broken = {"connect"}
    with pytest.raises(PluginConnectionError):
        await plugin.connect()
    plugin.calls.clear()
    return plugin


def test_a_failed_instance_is_tried_again_after_growing_delays(registry, clock):
    async def run():
        plugin = await broken_instance(registry, base_delay=1, backoff_factor=3, max_attempts=0)
        monitor = HealthMonitor(registry, clock=clock)
        tried_at = []
        for _ in range(300):
            before = plugin.reconnect_attempts
            monitor.check()
            await monitor.settle()
            if plugin.reconnect_attempts > before:
                tried_at.append(round(clock.now - 1000, 1))
            clock.now += 0.1
        return tried_at

    first, second, third = asyncio.run(run())
    assert first == pytest.approx(1, abs=0.2)
    assert second - first == pytest.approx(3, abs=0.3)
    assert third - second == pytest.approx(9, abs=0.3)


def test_a_device_that_is_back_is_connected_and_counts_afresh_once_it_answers(registry, clock):
    async def run():
        plugin = await broken_instance(registry)
        monitor = HealthMonitor(registry, clock=clock)
        for _ in range(8):
            monitor.check()
            await monitor.settle()
            clock.now += 1
        plugin.broken = set()
        clock.now += 60
        monitor.check()
        await monitor.settle()
        attempts = plugin.reconnect_attempts
        await plugin.read("temperature")
        return plugin.state, attempts, plugin.reconnect_attempts

    state, attempts, after_reading = asyncio.run(run())
    assert state is PluginState.CONNECTED
    assert attempts > 1
    assert after_reading == 0


def test_attempts_end_and_can_be_granted_anew(registry, clock):
    async def run():
        plugin = await broken_instance(registry, max_attempts=2)
        monitor = HealthMonitor(registry, clock=clock)
        for _ in range(20):
            monitor.check()
            await monitor.settle()
            clock.now += 60
        tries, given_up = plugin.calls.count("connect"), monitor.given_up
        plugin.broken = set()
        monitor.retry(plugin.instance_id)
        monitor.check()
        await monitor.settle()
        monitor.check()
        return tries, given_up, plugin.state, monitor.given_up

    tries, given_up, state, given_up_later = asyncio.run(run())
    assert (tries, given_up) == (2, {"bench-1"})
    assert (state, given_up_later) == (PluginState.CONNECTED, frozenset())


def test_the_running_monitor_reconnects_and_stops_when_cancelled(registry):
    async def run():
        plugin = await broken_instance(registry, base_delay=0.1)
        plugin.broken = set()
        task = asyncio.create_task(HealthMonitor(registry, interval=5).run())
        async with asyncio.timeout(5):
            while plugin.state is not PluginState.CONNECTED:  # noqa: ASYNC110 - the state has no event
                await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_an_instance_that_was_disconnected_on_purpose_is_left_alone(registry, clock):
    async def run():
        plugin = await broken_instance(registry)
        monitor = HealthMonitor(registry, clock=clock)
        monitor.check()
        clock.now += 60
        monitor.check()
        await plugin.disconnect()
        plugin.calls.clear()
        await monitor.settle()
        clock.now += 60
        monitor.check()
        await monitor.settle()
        return plugin

    plugin = asyncio.run(run())
    assert plugin.state is PluginState.DISCONNECTED
    assert "connect" not in plugin.calls
