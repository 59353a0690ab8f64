"""What comes in and goes out about log entries."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from webmacs.core.paging import PageQuery
from webmacs.core.schemas import NO_NUL, Patch, Schema, Search


class LogType(StrEnum):
    """How serious an entry is."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class LogStatus(StrEnum):
    """Whether somebody has seen the entry."""

    READ = "read"
    UNREAD = "unread"


Content = Annotated[str, StringConstraints(min_length=1, max_length=500), NO_NUL]


class LogFilter(PageQuery):
    """Which entries of the log."""

    logging_type: LogType | None = Field(None, description="Only entries of this type")
    status_type: LogStatus | None = Field(None, description="Only read or only unread entries")
    q: Search | None = Field(None, description="Only entries that contain this text")


class LogIn(Schema):
    """A new entry."""

    content: Content
    logging_type: LogType = LogType.INFO


class LogPatch(Patch):
    """A change to an entry; only fields that are sent count."""

    content: Content = ""
    status_type: LogStatus = LogStatus.UNREAD


class LogOut(Schema):
    """An entry as the API shows it."""

    public_id: str
    content: str
    logging_type: LogType
    status_type: LogStatus
    created_on: datetime
    user_public_id: str | None
