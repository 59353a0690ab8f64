"""The configuration of a simulated plant."""

from typing import Literal

from pydantic import Field, field_validator
from webmacs_plugins_core import PluginInstanceConfig

from webmacs_plugin_simulated.faults import Fault


class SimulatedConfig(PluginInstanceConfig):
    """How the plant begins and how it behaves; its set-points are outputs."""

    start: Literal["running", "cold"] = Field(
        default="running",
        title="Start",
        description="Begin warmed up at the set-points below, or at ambient temperature.",
        json_schema_extra={"ui_order": 10},
    )
    heater_percent: float = Field(
        default=35.0,
        ge=0,
        le=100,
        title="Heater at the start (%)",
        description="Heater power until it is set.",
        json_schema_extra={"ui_order": 11},
    )
    valve_percent: float = Field(
        default=50.0,
        ge=0,
        le=100,
        title="Valve at the start (%)",
        description="Valve position until it is set.",
        json_schema_extra={"ui_order": 12},
    )
    ambient_celsius: float = Field(
        default=22.0,
        ge=20,
        le=30,
        title="Ambient temperature (°C)",
        description="Temperature of the surroundings and of the supplied air.",
        json_schema_extra={"ui_order": 13},
    )
    noise: float = Field(
        default=1.0,
        ge=0,
        le=10,
        title="Sensor noise",
        description="1 is usual, 0 makes the sensors ideal.",
        json_schema_extra={"ui_order": 14},
    )
    time_scale: float = Field(
        default=1.0,
        ge=0.1,
        le=10,
        title="Time scale",
        description="How many seconds pass in the plant in one real second.",
        json_schema_extra={"ui_order": 15},
    )
    seed: int | None = Field(
        default=None,
        title="Seed",
        description="Makes the noise repeatable; empty takes it from the name.",
        json_schema_extra={"ui_order": 16},
    )
    fault: Fault = Field(
        default=Fault.NONE,
        title="Fault",
        description="Code of a fault that occurs by itself, until the fault channel is written.",
        json_schema_extra={"ui_order": 17},
    )
    fault_after_seconds: float = Field(
        default=0.0,
        ge=0,
        title="Fault after (s)",
        description="Seconds in the plant from the start to that fault.",
        json_schema_extra={"ui_order": 18},
    )

    @field_validator("demo_mode")
    @classmethod
    def _always_demo(cls, _value: bool) -> bool:
        """There is no hardware behind this driver, whatever an instance asks for."""
        return True
