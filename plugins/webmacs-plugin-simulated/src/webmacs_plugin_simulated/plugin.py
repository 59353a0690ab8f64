"""The driver class: the plant, its sensors and the clock."""

import time
from collections.abc import Callable
from dataclasses import replace

from webmacs_plugins_core import ChannelDescriptor, DevicePlugin, PluginMeta

from webmacs_plugin_simulated.channels import plant_channels
from webmacs_plugin_simulated.config import SimulatedConfig
from webmacs_plugin_simulated.faults import Fault, fault_of
from webmacs_plugin_simulated.parameters import PlantParameters
from webmacs_plugin_simulated.plant import OperatingPoint, Plant
from webmacs_plugin_simulated.sensors import Sensors

# Readings closer together than this, in real seconds, are of the same moment: one poll of all channels is one sample.
SAMPLE_SECONDS = 0.02

# A plant that was not read for longer than this (in its own seconds) stood still meanwhile: catching up takes about
# 0.2 ms per second and must not stop the event loop noticeably.
LONGEST_CATCH_UP = 600.0


class SimulatedRig:
    """A plant that follows a clock, with its sensors and its configured fault."""

    def __init__(self, config: SimulatedConfig, seed: str, clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        self._now = clock()
        point = OperatingPoint(config.heater_percent, config.valve_percent)
        parameters = PlantParameters(ambient_celsius=config.ambient_celsius)
        self.plant = Plant.settled(parameters, point) if config.start == "running" else Plant(parameters, point)
        self._sensors = Sensors(seed, config.noise)
        self._fault_pending = config.fault is not Fault.NONE
        self._readings = self._sample()

    def readings(self) -> dict[str, float | None]:
        """What the sensors show now, by channel id."""
        if self._clock() - self._now >= SAMPLE_SECONDS:
            self._follow()
            self._readings = self._sample()
        return self._readings

    def operate(self, channel_id: str, value: float) -> None:
        """Set an actuator in percent, or the fault by its code; what was set before acted until now."""
        self._follow()
        point = self.plant.point
        match channel_id:
            case "heater_power":
                self.plant.point = replace(point, heater_percent=value)
            case "valve_position":
                self.plant.point = replace(point, valve_percent=value)
            case _:
                self._fault_pending = False
                self.plant.point = replace(point, fault=fault_of(value))

    def feedback(self, channel_id: str) -> float:
        """What an output stands at: heater power and valve position in percent, the code of the fault."""
        match channel_id:
            case "heater_power":
                return self.plant.point.heater_percent
            case "valve_position":
                return round(self.plant.state.valve, 3)
            case _:
                return float(self.plant.point.fault)

    def _follow(self) -> None:
        now = self._clock()
        self.plant.advance(min((now - self._now) * self._config.time_scale, LONGEST_CATCH_UP))
        self._now = now

    def _sample(self) -> dict[str, float | None]:
        if self._fault_pending and self.plant.seconds >= self._config.fault_after_seconds:
            self._fault_pending = False
            self.plant.point = replace(self.plant.point, fault=self._config.fault)
        return self._sensors.sample(self.plant.measure(), self.plant.point.fault, self.plant.seconds)


class SimulatedPlugin(DevicePlugin):
    """A fluidised-bed plant that needs no hardware: always in demo mode, but what is written acts on the plant."""

    meta = PluginMeta(
        id="simulated",
        name="Simulated Device",
        version="0.2.0",
        vendor="WebMACS",
        description="A fluidised-bed plant made of equations: heater, valve, seven sensors and faults on demand.",
        protocol="simulation",
        tags=("demo", "fluidised bed"),
    )
    config_schema = SimulatedConfig
    config: SimulatedConfig

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock=clock)
        self._rig: SimulatedRig | None = None

    def get_channels(self) -> list[ChannelDescriptor]:
        """Seven sensors, two actuators and the fault switch; a new configuration builds a new plant."""
        self._rig = None
        return plant_channels()

    @property
    def rig(self) -> SimulatedRig:
        """The plant behind this instance; it starts with the first connection and goes on while disconnected."""
        if self._rig is None:
            given = self.config.seed
            seed = (self.config.instance_name or self.meta.id) if given is None else str(given)
            self._rig = SimulatedRig(self.config, seed, self._clock)
        return self._rig

    def _demo_connect(self) -> None:
        self.rig.readings()

    def _demo_read(self, channel: ChannelDescriptor) -> float | None:
        return self.rig.feedback(channel.id) if channel.is_output else self.rig.readings()[channel.id]

    def _demo_write(self, channel: ChannelDescriptor, value: float) -> None:
        self.rig.operate(channel.id, value)

    async def _do_connect(self) -> None:
        """There is nothing to open."""

    async def _do_disconnect(self) -> None:
        """There is nothing to close."""

    async def _do_read(self, channel_id: str) -> float | None:
        return self._demo_read(self.channel(channel_id))

    async def _do_write(self, channel_id: str, value: float) -> None:
        self._demo_write(self.channel(channel_id), value)
