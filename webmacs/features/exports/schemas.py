"""What comes in and goes out about exports."""

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from webmacs.core.paging import PageQuery
from webmacs.core.schemas import Moment, Reference, Schema

Format = Literal["csv", "ndjson", "parquet"]
MEDIA: dict[str, str] = {
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
FORMAT_NAMES: dict[str, str] = {
    "csv": "CSV (spreadsheets)",
    "ndjson": "NDJSON (one JSON object a line)",
    "parquet": "Parquet (Python, R, databases)",
}
MOST_AT_ONCE = 200_000  # rows of a selection that is streamed; larger ones are written in the background


def _one_is_a_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


class Selection(Schema):
    """Which values: of some channels or all, in a stretch of time or in an experiment (or in both)."""

    event_public_ids: list[Reference] | None = Field(
        None, min_length=1, max_length=1000, description="Only these channels; null or left out for all"
    )
    experiment_public_id: Reference | None = Field(None, description="Only what belongs to this experiment's time")
    start: Moment | None = Field(None, description="Not before this moment")
    stop: Moment | None = Field(None, description="Not after this moment")

    @model_validator(mode="after")
    def _runs_forwards(self) -> "Selection":
        if self.start and self.stop and self.stop < self.start:
            raise ValueError("The end must not be before the start.")
        return self


class ExportIn(Selection):
    """A file to be written in the background."""

    format: Format


class StreamQuery(Selection):
    """A selection in a query string; `event_public_ids` may be repeated."""

    event_public_ids: Annotated[
        list[Reference] | None,
        BeforeValidator(_one_is_a_list),
    ] = Field(None, min_length=1, max_length=1000, description="Only this channel; repeat it for more of them")
    format: Format = Field("csv", description="The format of the file")


class ExportFilter(PageQuery):
    """Which exports."""

    state: Literal["queued", "running", "done", "failed", "cancelled", "expired"] | None = Field(
        None, description="Only exports in this state"
    )


class ExportOut(Schema):
    """An export as the API shows it; `rows_done`, `bytes` and `sha256` of a finished one describe its file."""

    public_id: str
    state: str
    format: str
    name: str
    event_public_ids: Annotated[
        list[str] | None,
        BeforeValidator(_listed),
        WithJsonSchema({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]}),
    ]
    experiment_public_id: str | None
    start: datetime | None
    stop: datetime | None
    rows_done: int
    rows_total: int | None
    bytes: int | None
    sha256: str | None
    error: str | None
    created_on: datetime
    finished_on: datetime | None
    expires_on: datetime | None
    download_url: str | None
