"""What comes in and goes out about experiments."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from webmacs.core.paging import PageQuery
from webmacs.core.schemas import Name, Patch, Reference, Schema, Search


class ExperimentFilter(PageQuery):
    """Which experiments."""

    state: Literal["running", "stopped"] | None = Field(None, description="Only running or only stopped ones")
    q: Search | None = Field(None, description="Only experiments whose name contains this text")


class ExperimentIn(Schema):
    """A new experiment; it starts at once. Without a scope it covers every channel."""

    name: Name
    event_public_ids: list[Reference] | None = Field(None, min_length=1, max_length=1000)


class ExperimentPatch(Patch):
    """A change to an experiment."""

    name: Name = ""


class HoldIn(Schema):
    """Whether the measurements of an experiment are on hold."""

    hold: bool


class DeleteQuery(Schema):
    """What happens to the measurements of a deleted experiment."""

    keep_data: bool = Field(False, description="Delete only the experiment and keep its datapoints")


class ExperimentOut(Schema):
    """An experiment as the API shows it; `event_public_ids` is null when it covers every channel."""

    public_id: str
    name: str
    started_on: datetime
    stopped_on: datetime | None
    is_held: bool
    user_public_id: str | None
