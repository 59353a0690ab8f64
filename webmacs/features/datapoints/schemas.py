"""What comes in and goes out about datapoints."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from webmacs.core import clock
from webmacs.core.paging import PageQuery
from webmacs.core.schemas import Finite, Moment, Reference, Schema, Text, Written

MAX_BATCH = 500
FIRST, LAST = 0, clock.to_micros(datetime(2200, 1, 1, tzinfo=UTC))


NUMBERS = frozenset((int, float))


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


def stamps(values: Sequence[int | float | str | None]) -> list[int | None]:
    """`stamp` of each that is there. Raises ValueError when one of them is none."""
    if values and NUMBERS.issuperset(map(type, values)):
        numbers = cast("Sequence[float]", values)
        if min(numbers) > FIRST and max(numbers) * 1e6 < LAST:
            return [round(value * 1_000_000) for value in numbers]  # seconds: the same, at once
    return [None if value is None else stamp(value) for value in values]


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


MOST_BUCKETS = 10_000
_UNITS = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


def _length(value: Any) -> int:
    """Seconds as a number, or a number with s, m, h or d → microseconds."""
    if isinstance(value, str) and value[-1:] in _UNITS and value[:-1].isascii() and value[:-1].isdigit():
        micros = float(value[:-1]) * _UNITS[value[-1]]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        micros = value * 1_000_000.0 if -1e12 < value < 1e12 else math.inf
    else:
        raise ValueError('must be a number of seconds or a text like "10s", "5m", "1h" or "1d"')
    if not 1_000 <= micros <= 366 * _UNITS["d"]:
        raise ValueError("must lie between a millisecond and 366 days")
    return round(micros)


Length = Annotated[
    int,
    BeforeValidator(_length),
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "string",
                    "pattern": "^[1-9][0-9]{0,4}s$|^[1-9][0-9]{0,3}[mh]$|^[1-9][0-9]?d$",
                    "examples": ["5m"],
                },
                {"type": "number", "minimum": 0.001, "maximum": 31622400},
            ],
            "description": "Length of a bucket: seconds, or a number with s, m, h or d",
        }
    ),
]
Function = Annotated[
    str,
    StringConstraints(pattern=r"^(avg|min|max|sum|count|first|last|p[0-9]{1,2}(\.[0-9]{1,2})?)$"),
    Field(examples=["p95"]),
]


class AggregateIn(Schema):
    """What up to 20 channels amount to, bucket by bucket."""

    event_public_ids: list[Reference] = Field(min_length=1, max_length=20)
    start: Moment | None = Field(None, description="Not before this moment; the last 60 minutes unless it is given")
    stop: Moment | None = Field(None, description="Before this moment; now unless it is given")
    minutes: int | None = Field(None, ge=1, le=10_000_000, description="Instead of start: so long before stop")
    bucket: Length
    functions: list[Function] = Field(
        min_length=1, max_length=20, default_factory=lambda: ["avg", "min", "max", "count"]
    )


class AggregateOut(Schema):
    """One bucket: `start` and the functions that were asked for, percentiles under their names (`p95`)."""

    model_config = ConfigDict(extra="allow")

    start: datetime
    count: int | None = None
    sum: float | None = None
    avg: float | None = None
    min: float | None = None
    max: float | None = None
    first: float | None = None
    last: float | None = None
