"""What comes in and goes out about channels."""

from enum import StrEnum

from pydantic import Field, model_validator

from webmacs.core.paging import PageQuery
from webmacs.core.schemas import Finite, Name, Patch, Schema, Search


class EventType(StrEnum):
    """What a channel is for."""

    SENSOR = "sensor"
    ACTUATOR = "actuator"
    RANGE = "range"
    CMD_BUTTON = "cmd_button"
    CMD_OPENED = "cmd_opened"
    CMD_CLOSED = "cmd_closed"


OUTPUTS = frozenset(EventType) - {EventType.SENSOR}


class EventFilter(PageQuery):
    """Which channels."""

    type: EventType | None = Field(None, description="Only channels of this type")
    q: Search | None = Field(None, description="Only channels whose name contains this text")


class EventIn(Schema):
    """A new channel."""

    name: Name
    type: EventType
    unit: Name
    min_value: Finite
    max_value: Finite

    @model_validator(mode="after")
    def _ordered(self) -> "EventIn":
        if self.min_value > self.max_value:
            raise ValueError("min_value must not be greater than max_value")
        return self


class EventPatch(Patch):
    """Changes to a channel; only fields that are sent count."""

    name: Name = ""
    type: EventType = EventType.SENSOR
    unit: Name = ""
    min_value: Finite = 0.0
    max_value: Finite = 0.0


class EventOut(Schema):
    """A channel as the API shows it."""

    public_id: str
    name: str
    type: EventType
    unit: str
    min_value: float
    max_value: float
    user_public_id: str | None
