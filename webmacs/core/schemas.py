"""The base of what comes in and goes out: pydantic models and the field types they share."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints


def _no_nul(text: str) -> str:
    if "\x00" in text:  # PostgreSQL cannot keep it
        raise ValueError("must not contain NUL characters")
    return text


def _aware(moment: datetime) -> datetime:
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside the years 1 to 9999") from None


def _blank_is_none(value: Any) -> Any:
    return None if value == "" else value


# the last of a text's rules: put before its limits, it would take their plain words away
NO_NUL = AfterValidator(_no_nul)
Text = Annotated[str, NO_NUL]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255), NO_NUL]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=100), NO_NUL]
Search = Annotated[str, StringConstraints(max_length=100), NO_NUL]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Moment = Annotated[datetime, AfterValidator(_aware)]
BlankIsNone = BeforeValidator(_blank_is_none)


class Schema(BaseModel):
    """Base of all schemas: unknown fields are ignored and never written."""

    model_config = ConfigDict(extra="ignore", from_attributes=True, str_max_length=100_000)


class Patch(Schema):
    """Base of a partial update: only the fields that were sent count."""

    def changes(self) -> dict[str, Any]:
        """Field → new value, for the fields that were sent."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Written(Schema):
    """The reply to a write."""

    status: str = "success"
    message: str
    public_id: str | None = None
