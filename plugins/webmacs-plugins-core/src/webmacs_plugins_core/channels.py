"""The description of one input or output of a device."""

from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from webmacs_plugins_core.conversion import ConversionSpec
from webmacs_plugins_core.simulation import SimulationSpec


class ChannelDirection(StrEnum):
    """Seen from WebMACS: an input is measured, an output is commanded."""

    INPUT = "input"
    OUTPUT = "output"
    BIDIRECTIONAL = "bidirectional"


class ChannelDescriptor(BaseModel):
    """One channel. ``min_value``, ``max_value`` and ``safe_value`` are engineering values in ``unit``.

    ``read_conversion`` turns the device's raw value into the engineering value; ``write_conversion`` describes the
    same direction (raw → engineering) and its inverse is applied to what is written. ``safe_value`` is what an output
    is set to when the instance stops or fails; None leaves it as it is. ``ui_hints`` is free for the interface.
    """

    model_config = ConfigDict(frozen=True)

    id: str = Field(min_length=1, max_length=100)
    name: str = Field(min_length=1, max_length=255)
    direction: ChannelDirection
    data_type: str = "float"
    unit: str = Field(default="", max_length=50)
    min_value: FiniteFloat = 0.0
    max_value: FiniteFloat = 100.0
    read_conversion: ConversionSpec = Field(default_factory=ConversionSpec)
    write_conversion: ConversionSpec = Field(default_factory=ConversionSpec)
    simulation: SimulationSpec | None = None
    safe_value: FiniteFloat | None = None
    ui_hints: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.min_value > self.max_value:
            raise ValueError(f"min_value {self.min_value} is above max_value {self.max_value}")
        return self

    @property
    def is_input(self) -> bool:
        """Measured: input or bidirectional."""
        return self.direction is not ChannelDirection.OUTPUT

    @property
    def is_output(self) -> bool:
        """Writable: output or bidirectional."""
        return self.direction is not ChannelDirection.INPUT

    def clamp(self, value: float) -> float:
        """The value, limited to the channel's range."""
        return min(max(value, self.min_value), self.max_value)
