"""What comes in and goes out about retention."""

import json
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from webmacs.core.schemas import BlankIsNone, Schema

Days = Annotated[int | None, Field(ge=1, le=36_500), BlankIsNone]


class PolicyIn(Schema):
    """What is to be kept: days, or null for ever. Rollups cannot go before the values that they stand for."""

    raw_days: Days = Field(description="Days after which values are deleted; null keeps them for ever")
    rollup_days: Days = Field(description="Days after which their minima, maxima and means are deleted too")

    @model_validator(mode="after")
    def _in_this_order(self) -> "PolicyIn":
        if self.rollup_days is not None and (self.raw_days is None or self.rollup_days < self.raw_days):
            raise ValueError("rollups must be kept at least as long as the values")
        return self


class PolicyOut(Schema):
    """What is kept; null is for ever."""

    raw_days: int | None
    rollup_days: int | None


class ChannelPolicyOut(PolicyOut):
    """What is kept of one channel; `is_own` tells that it does not follow the organization."""

    event_public_id: str
    is_own: bool


class GoingOut(Schema):
    """What a run would delete of one channel now."""

    event_public_id: str
    name: str
    points: int
    oldest: datetime | None
    rollups: int


class PreviewOut(Schema):
    """What a run would delete now; at most this, because nothing goes whose rollups are not complete."""

    points: int
    rollups: int
    channels: list[GoingOut]


def _read(detail: Any) -> Any:
    return json.loads(detail) if isinstance(detail, str) else detail or {}


class RunOut(Schema):
    """One run; `detail` tells the number of deleted values for each channel, by its name."""

    public_id: str
    state: str
    created_on: datetime
    finished_on: datetime | None
    points: int = Field(validation_alias="rows_done")
    rollups: int
    detail: Annotated[dict[str, int], BeforeValidator(_read)]
    error: str | None
