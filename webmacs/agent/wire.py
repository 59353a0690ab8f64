"""What travels between the controller and the server: the parts of the public API that the controller uses."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
ZONE_LESS = re.compile(r"^[^T]*T[^Z+-]*$")

Direction = Literal["input", "output", "bidirectional"]
Status = Literal["inactive", "connected", "error", "demo"]
LogType = Literal["error", "warning", "info"]


def to_iso(at: int) -> str:
    """Microseconds since 1970 → `2026-11-20T13:06:02.774183Z`, exactly."""
    moment = EPOCH + timedelta(microseconds=at)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond:06d}Z"


def from_iso(text: object) -> int:
    """ISO 8601 (UTC when it names no zone) → microseconds since 1970, exactly. Raises `ValueError`."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    written = str(text)
    moment = datetime.fromisoformat(f"{written}+00:00" if ZONE_LESS.match(written) else written)
    return (moment - EPOCH) // MICROSECOND


Moment = Annotated[int, PlainValidator(from_iso), PlainSerializer(to_iso)]


def plain(text: str, limit: int) -> str:
    """One printable line of at most `limit` characters: what a device or driver says may hold anything."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


class Wire(BaseModel):
    """Unknown fields are ignored, so that a newer server does not stop an older controller."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class MappingRow(Wire):
    """One channel of an instance and the event that it feeds, or is driven by."""

    channel_id: str
    direction: Direction = "input"
    event_public_id: str | None = None


class InstanceRow(Wire):
    """One plugin instance as the server knows it; `config_json` is the text of a JSON object."""

    public_id: str
    plugin_id: str
    instance_name: str
    demo_mode: bool = False
    enabled: bool = True
    status: str = "inactive"
    config_json: str | None = None
    channel_mappings: tuple[MappingRow, ...] = ()


class InstancePage(Wire):
    """One page of instances."""

    total: int
    data: tuple[InstanceRow, ...]


class Rejection(Wire):
    """An item of a batch that the server did not take."""

    index: int
    reason: str = "no reason given"


class BatchReply(Wire):
    """The answer to a batch; its presence in this form is what allows the controller to forget the samples."""

    accepted: int
    rejected: tuple[Rejection, ...] = Field(default=())


class Point(Wire):
    """One stored datapoint; `timestamp` in microseconds since 1970, `value` null when it was stored as not finite."""

    event_public_id: str
    timestamp: Moment
    value: float | None
