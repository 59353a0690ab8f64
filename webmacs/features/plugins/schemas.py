"""What comes in and goes out about plugin instances and their channels."""

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints

from webmacs.core.schemas import NO_NUL, BlankIsNone, Name, Patch, Reference, Schema, Text


class Direction(StrEnum):
    """Which way a channel's values go, seen from WebMACS."""

    INPUT = "input"
    OUTPUT = "output"
    BIDIRECTIONAL = "bidirectional"


class PluginStatus(StrEnum):
    """What an instance is doing."""

    INACTIVE = "inactive"
    CONNECTED = "connected"
    ERROR = "error"
    DEMO = "demo"


def _canonical(value: Any) -> Any:
    """An object, or the text of one, as canonical JSON text; blank means none."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError("must be the text of a JSON object") from None
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")  # noqa: TRY004 - pydantic shows ValueError only
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)


ConfigJson = Annotated[Annotated[Text, Field(max_length=65536)] | None, BeforeValidator(_canonical)]
ShortText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), NO_NUL]
Unit = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50), NO_NUL]
EventLink = Annotated[Reference | None, BlankIsNone]


class DriverOut(Schema):
    """An installed driver."""

    id: str
    name: str
    version: str
    vendor: str
    description: str
    url: str


class InstanceIn(Schema):
    """A new instance of a driver."""

    plugin_id: ShortText
    instance_name: Name
    demo_mode: bool = False
    enabled: bool = True
    auto_create_events: bool = True
    config_json: ConfigJson = None


class InstancePatch(Patch):
    """Changes to an instance; only fields that are sent count."""

    instance_name: Name = ""
    demo_mode: bool = False
    enabled: bool = True
    config_json: ConfigJson = None


class StatusIn(Schema):
    """What the agent reports about an instance; also its sign of life."""

    status: PluginStatus
    error_message: Annotated[str, StringConstraints(max_length=4000), NO_NUL] | None = None


class RemoveQuery(Schema):
    """What else goes with a deleted instance."""

    purge: bool = Field(
        False, description="Also delete the events that it created itself and nothing else uses, with their data"
    )


class MappingIn(Schema):
    """A new channel of an instance."""

    channel_id: ShortText
    channel_name: Name
    direction: Direction
    unit: Unit
    event_public_id: EventLink = None


class MappingPatch(Patch):
    """The link of a channel to an event; null unlinks."""

    event_public_id: EventLink = None


class MappingOut(Schema):
    """A channel as the API shows it."""

    public_id: str
    channel_id: str
    channel_name: str
    direction: Direction
    unit: str
    event_public_id: str | None
    created_on: datetime


class InstanceOut(Schema):
    """An instance as the API shows it."""

    public_id: str
    plugin_id: str
    instance_name: str
    demo_mode: bool
    enabled: bool
    status: PluginStatus
    config_json: str | None
    error_message: str | None
    created_on: datetime
    updated_on: datetime
    user_public_id: str | None
    channel_mappings: list[MappingOut]
