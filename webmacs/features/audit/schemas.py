"""What comes in and goes out about the audit trail."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from webmacs.core.schemas import Moment, Reference, Schema, Search


class Outcome(StrEnum):
    """What became of it."""

    DONE = "done"
    REFUSED = "refused"


class AuditConditions(Schema):
    """Which entries."""

    who: Search | None = Field(None, description="Only what a user did whose name contains this, or whose id it is")
    what: Search | None = Field(
        None, description="Only what an operation did, or to a thing, whose name contains this, or whose id it is"
    )
    kind: Search | None = Field(None, description="Only changes to this kind of thing, such as `event`")
    outcome: Outcome | None = Field(None, description="Only what was done, or only what was refused")
    start: Moment | None = Field(None, description="Not before this moment")
    stop: Moment | None = Field(None, description="Not after this moment")


class AuditFilter(AuditConditions):
    """Which entries, and which page of them."""

    page_size: int = Field(50, ge=1, le=100, description="Entries per page")
    cursor: Reference | None = Field(None, description="Only entries before this one (its public_id)")


class AuditExport(AuditConditions):
    """Which entries, and in which form."""

    format: Literal["csv", "ndjson"] = Field("csv", description="CSV, or a JSON document on each line")


class AuditOut(Schema):
    """An entry. `number` counts within the organization's chain, or the installation's; `hash` is its seal."""

    public_id: str
    number: int
    is_of_installation: bool
    occurred_on: datetime
    user_public_id: str | None
    username: str
    via: str
    session_public_id: str | None
    verb: str
    action: str
    kind: str
    object_public_id: str | None
    object_name: str | None
    old_values: dict[str, Any]
    new_values: dict[str, Any]
    reason: str | None
    address: str | None
    request_id: str | None
    outcome: str
    sentence: str | None
    hash: str


class AuditList(Schema):
    """A page of entries, newest first; `next_cursor` is null on the last one."""

    page_size: int
    next_cursor: str | None
    data: list[AuditOut]
