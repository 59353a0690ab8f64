"""What comes in about outputs."""

from typing import Annotated, Any

from pydantic import BeforeValidator

from webmacs.core.schemas import Finite, Schema


def _decimal_comma(value: Any) -> Any:
    return value.strip().replace(",", ".") if isinstance(value, str) else value


class SetPoint(Schema):
    """The value that an output is to take, in the channel's unit; a decimal comma is understood."""

    value: Annotated[Finite, BeforeValidator(_decimal_comma)]
