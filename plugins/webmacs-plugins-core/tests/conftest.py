"""A driver whose device is a dictionary, which a test can break and look into; and a clock that a test moves."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from webmacs_plugins_core import ChannelDescriptor, ConversionSpec, DevicePlugin, PluginMeta, SimulationSpec

HUNDREDTHS = ConversionSpec(type="linear", params={"scale": 0.01})


class BenchPlugin(DevicePlugin):
    """Two inputs and two outputs over the raw values in ``raw``."""

    meta = PluginMeta(id="bench", name="Bench", version="1.2.3")

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock=clock)
        self.raw: dict[str, Any] = {"temperature": 180, "pressure": 5000, "valve": 0, "lamp": 0}
        self.calls: list[str] = []
        self.broken: set[str] = set()

    def get_channels(self) -> list[ChannelDescriptor]:
        constant = SimulationSpec(profile="constant", base_value=42)
        tenths = ConversionSpec(type="divide", params={"divisor": 10})
        return [
            ChannelDescriptor(
                id="temperature",
                name="Temperature",
                direction="input",
                unit="°C",
                read_conversion=tenths,
                simulation=constant,
            ),
            ChannelDescriptor(
                id="pressure", name="Pressure", direction="input", unit="bar", read_conversion=HUNDREDTHS
            ),
            ChannelDescriptor(
                id="valve", name="Valve", direction="output", unit="%", write_conversion=HUNDREDTHS, safe_value=10
            ),
            ChannelDescriptor(id="lamp", name="Lamp", direction="output", unit="bool", max_value=1),
        ]

    def _touch(self, call: str) -> None:
        self.calls.append(call)
        if call in self.broken:
            raise OSError(f"{call}: cable cut")

    async def _do_connect(self) -> None:
        self._touch("connect")

    async def _do_disconnect(self) -> None:
        self._touch("disconnect")

    async def _do_read(self, channel_id: str) -> float | None:
        self._touch(f"read {channel_id}")
        return self.raw[channel_id]

    async def _do_write(self, channel_id: str, value: float) -> None:
        self._touch(f"write {channel_id}")
        self.raw[channel_id] = value


class MovableClock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def bench_class() -> type[BenchPlugin]:
    return BenchPlugin


@pytest.fixture
def bench() -> BenchPlugin:
    """A configured bench that talks to its dictionary, not in demo mode."""
    plugin = BenchPlugin()
    plugin.configure({"demo_mode": False, "instance_name": "Bench 1"})
    return plugin


@pytest.fixture
def demo_bench() -> BenchPlugin:
    plugin = BenchPlugin()
    plugin.configure({"instance_name": "Bench 1"})
    return plugin


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()
