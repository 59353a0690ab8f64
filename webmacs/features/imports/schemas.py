"""What comes in and goes out about imports."""

import json
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from webmacs.core.paging import PageQuery
from webmacs.core.schemas import NO_NUL, Reference, Schema

MOST_PROBLEMS = 100  # bad rows that are listed; the others are only counted
PREVIEW_ROWS = 5

STAMPS: dict[str, str] = {
    "iso": "ISO 8601 (2026-11-20T12:00:00)",
    "s": "seconds since 1970",
    "ms": "milliseconds since 1970",
    "us": "microseconds since 1970",
}
DELIMITERS: dict[str, str] = {",": "comma", ";": "semicolon", "\t": "tab"}

Column = Annotated[str, StringConstraints(min_length=1, max_length=500), NO_NUL]


def zone(name: str) -> tzinfo:
    """A time zone by its name; UTC also where no zones are installed. Raises KeyError, ValueError or OSError."""
    return UTC if name == "UTC" else ZoneInfo(name)


def _zone(name: str) -> str:
    try:
        zone(name)
    except (KeyError, ValueError, OSError):  # nothing of that name, a path, a folder
        raise ValueError("this is not a time zone such as UTC or Europe/Berlin") from None
    return name


class Mapping(Schema):
    """How the columns of a file are to be read.

    `long`: one value a row, of one channel or of the one that a column names (by id, by name, or by a word that
    `channels` translates). `wide`: a column for each channel.
    """

    shape: Literal["long", "wide"]
    timestamp_column: Column
    timestamp_format: Literal["iso", "s", "ms", "us"] = "iso"
    timezone: Annotated[str, StringConstraints(max_length=100), NO_NUL, AfterValidator(_zone)] = Field(
        "UTC", description="Of times that name no zone themselves"
    )
    delimiter: Literal[",", ";", "\t"] = Field(",", description="Between the cells of a CSV file")
    decimal: Literal[".", ","] = Field(".", description="In the numbers of a CSV file")
    value_column: Column | None = Field(None, description="long: the column of the values")
    channel_column: Column | None = Field(None, description="long: the column that names the channel")
    event_public_id: Reference | None = Field(None, description="long: the channel of every row")
    channels: dict[Column, Reference] = Field(
        {}, description="long: what the channel column says → event", max_length=1000
    )
    columns: dict[Column, Reference] = Field({}, description="wide: column → event", max_length=1000)

    def lacks(self) -> str | None:
        """What is missing for the mapping to be whole, as a sentence."""
        if self.shape == "wide" and not self.columns:
            return "Choose a channel for at least one column."
        if self.shape == "long" and self.value_column is None:
            return "Choose the column that holds the values."
        if self.shape == "long" and (self.channel_column is None) == (self.event_public_id is None):
            return "Choose either one channel for all rows or the column that names the channel."
        return None


class ImportFilter(PageQuery):
    """Which imports."""


class Problem(Schema):
    """One row that cannot be recorded; `line` counts from 1, the header included."""

    line: int
    reason: str


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


class ImportOut(Schema):
    """An import as the API shows it. `rows_done` counts rows of the file, `accepted` and `rejected` values."""

    public_id: str
    state: str
    is_check: bool
    filename: str
    format: str
    bytes: int
    mapping: Annotated[Mapping | None, BeforeValidator(_parsed)]
    rows_done: int
    rows_total: int | None
    accepted: int
    rejected: int
    problems: Annotated[
        list[Problem] | None,
        BeforeValidator(_parsed),
        WithJsonSchema({"anyOf": [{"type": "array", "items": {"type": "object"}}, {"type": "null"}]}),
    ]
    error: str | None
    created_on: datetime
    finished_on: datetime | None
    expires_on: datetime | None


class Preview(Schema):
    """The first rows of a file, and how we would read it."""

    columns: list[str]
    rows: list[list[str]]
    delimiter: str
