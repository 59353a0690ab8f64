"""What comes in and goes out about datapoints."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from webmacs.core import clock
from webmacs.core.paging import PageQuery
from webmacs.core.schemas import Finite, Moment, Reference, Schema, Text, Written

MAX_BATCH = 500
FIRST, LAST = 0, clock.to_micros(datetime(2200, 1, 1, tzinfo=UTC))


def stamp(value: Any) -> int:
    """ISO 8601, epoch seconds or epoch milliseconds (above 1e11) → microseconds since 1970 UTC."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(  # noqa: TRY004 - pydantic shows ValueError only
            "must be ISO 8601 text, epoch seconds or epoch milliseconds"
        )
    if isinstance(value, str):
        micros = _from_text(value)
    elif not -1e18 < value < 1e18:  # NaN, infinity, and integers of a thousand digits
        raise ValueError("must lie between 1970 and 2200")
    else:
        micros = round(value * (1_000 if abs(value) > 1e11 else 1_000_000))
    if not FIRST <= micros < LAST:
        raise ValueError("must lie between 1970 and 2200")
    return micros


def _from_text(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is not an ISO 8601 moment") from None
    return clock.to_micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


Stamp = Annotated[
    int,
    BeforeValidator(stamp),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "number", "minimum": 0, "maximum": 7258118399000},
            ],
            "description": "Device time: ISO 8601 (UTC unless it names a zone), epoch seconds or milliseconds",
        }
    ),
]


class DatapointIn(Schema):
    """One value of one channel; without a timestamp the server's clock counts."""

    value: Finite
    event_public_id: Reference
    timestamp: Stamp | None = None


class BatchItem(Schema):
    """One item of a batch; a value that is not finite is counted as rejected and spoils nothing else."""

    value: float
    event_public_id: Reference
    timestamp: Stamp | None = None


class BatchIn(Schema):
    """Up to 500 values."""

    datapoints: list[BatchItem] = Field(max_length=MAX_BATCH)


class Rejected(Schema):
    """Why one item of a batch was not recorded."""

    index: int
    reason: str


class BatchOut(Written):
    """`message` begins with the accepted count."""

    accepted: int
    rejected: list[Rejected]


class DatapointOut(Schema):
    """A datapoint as the API shows it."""

    public_id: str
    value: float
    timestamp: datetime
    event_public_id: str
    experiment_public_id: str | None


class DatapointFilter(PageQuery):
    """Which datapoints."""

    event_public_id: Reference | None = Field(None, description="Only this channel")
    experiment_public_id: Reference | None = Field(None, description="Only what belongs to this experiment")
    start: Moment | None = Field(None, description="Not before this moment")
    stop: Moment | None = Field(None, description="Not after this moment")
    cursor: Annotated[Text, Field(max_length=200)] | None = Field(
        None,
        description="Cursor: only datapoints after this one in the list's order (its public_id); page is then ignored",
    )


class SeriesIn(Schema):
    """Time series of up to 20 channels, thinned on the server."""

    event_public_ids: list[Reference] = Field(min_length=1, max_length=20)
    minutes: int = Field(60, ge=1, le=14400)
    max_points: int = Field(500, ge=10, le=2000)
    downsample: Literal["uniform", "minmax", "lttb"] = "uniform"
