"""Time: aware UTC for people, whole microseconds since 1970 for the datapoint store."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def now() -> datetime:
    """The current moment, aware, UTC."""
    return datetime.now(UTC)


def to_micros(moment: datetime) -> int:
    """Whole microseconds since 1970-01-01 UTC; exact, without a detour over floats."""
    return (moment - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """The inverse of `to_micros`."""
    return EPOCH + timedelta(microseconds=micros)


def iso_z(moment: datetime) -> str:
    """ISO 8601 in UTC with `Z`, microseconds left out when zero: the form of every JSON reply."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
