"""Reading and writing a connected instance, with hardware and in demo mode."""
# ruff: noqa: ARG002 - the drivers have to keep the signatures

import asyncio
import logging
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webmacs_plugins_core import (
    ChannelDescriptor,
    ChannelNotFoundError,
    ChannelValueError,
    PluginDriverError,
    PluginStateError,
    PluginTimeoutError,
)


def connected(plugin):
    asyncio.run(plugin.connect())
    return plugin


def test_a_read_value_is_converted(bench):
    connected(bench)
    assert asyncio.run(bench.read("temperature")) == 18
    assert asyncio.run(bench.read("pressure")) == 50


def test_a_simulated_value_is_not_converted(demo_bench):
    connected(demo_bench)
    assert asyncio.run(demo_bench.read("temperature")) == 42
    assert demo_bench.calls == []


def test_null_stays_null(bench):
    connected(bench)
    bench.raw["temperature"] = None
    assert asyncio.run(bench.read("temperature")) is None
    assert asyncio.run(bench.health_check()).error_count == 0


@pytest.mark.parametrize("raw", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_reads_as_null(bench, raw):
    connected(bench)
    bench.raw["temperature"] = raw
    assert asyncio.run(bench.read("temperature")) is None


def test_all_inputs_are_read_and_no_outputs(bench):
    connected(bench)
    assert asyncio.run(bench.read_all_inputs()) == {"temperature": 18, "pressure": 50}


def test_an_unconnected_instance_reads_as_null_and_refuses_to_write(bench):
    assert asyncio.run(bench.read("temperature")) is None
    with pytest.raises(PluginStateError):
        asyncio.run(bench.write("valve", 1))


def test_an_unknown_channel_is_an_error(bench):
    connected(bench)
    with pytest.raises(ChannelNotFoundError, match=r"^\[bench\] .*nothing"):
        asyncio.run(bench.read("nothing"))
    with pytest.raises(ChannelNotFoundError):
        asyncio.run(bench.write("nothing", 1))


def test_writing_is_limited_and_converted_back(bench):
    connected(bench)
    assert asyncio.run(bench.write("valve", 150)) == 100
    assert bench.raw["valve"] == pytest.approx(10_000)
    assert bench.written == {"valve": 100}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_whatever_is_written_arrives_inside_the_range(value):
    channel = ChannelDescriptor(id="x", name="X", direction="output", min_value=-5, max_value=7)
    assert -5 <= channel.clamp(value) <= 7


def test_an_input_cannot_be_written(bench):
    connected(bench)
    with pytest.raises(PluginStateError, match="read-only"):
        asyncio.run(bench.write("temperature", 1))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_not_written(bench, value):
    connected(bench)
    with pytest.raises(ChannelValueError):
        asyncio.run(bench.write("valve", value))
    assert "write valve" not in bench.calls


def test_demo_mode_only_logs_a_write_and_reads_it_back(demo_bench, caplog):
    connected(demo_bench)
    with caplog.at_level(logging.INFO):
        asyncio.run(demo_bench.write("valve", 55))
    assert demo_bench.raw["valve"] == 0
    assert "valve would be set to 55" in caplog.text
    assert asyncio.run(demo_bench.read("valve")) == 55


def test_a_failed_read_is_null_and_keeps_its_error(bench):
    connected(bench)
    bench.broken = {"read temperature"}
    assert asyncio.run(bench.read("temperature")) is None
    report = asyncio.run(bench.health_check())
    assert report.error_count == 1
    assert "cable cut" in report.current_error
    assert report.last_error_at is not None


def test_the_last_error_stays_readable_after_the_device_answers_again(bench):
    connected(bench)
    bench.broken = {"read temperature"}
    asyncio.run(bench.read("temperature"))
    bench.broken = set()
    asyncio.run(bench.read("temperature"))
    report = asyncio.run(bench.health_check())
    assert report.current_error is None
    assert "cable cut" in report.last_error


def test_a_failed_write_raises_with_its_cause(bench):
    connected(bench)
    bench.broken = {"write valve"}
    with pytest.raises(PluginDriverError, match="cable cut") as caught:
        asyncio.run(bench.write("valve", 5))
    assert isinstance(caught.value.__cause__, OSError)
    assert "valve" not in bench.written
    assert asyncio.run(bench.health_check()).error_count == 1


def test_a_hanging_device_does_not_hang_the_caller(bench_class):
    class Hanging(bench_class):
        io_timeout_seconds = 0.05

        async def _do_read(self, channel_id):
            await asyncio.sleep(60)

        async def _do_write(self, channel_id, value):
            await asyncio.sleep(60)

    plugin = Hanging()
    plugin.configure({"demo_mode": False})
    connected(plugin)
    assert asyncio.run(plugin.read("temperature")) is None
    assert "no answer in time" in asyncio.run(plugin.health_check()).last_error
    with pytest.raises(PluginTimeoutError):
        asyncio.run(plugin.write("valve", 1))
