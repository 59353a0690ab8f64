"""What comes in and goes out about forgotten passwords."""

from pydantic import Field

from webmacs.core.schemas import Schema
from webmacs.features.accounts.schemas import Code, Email, Password


class ForgottenIn(Schema):
    """Whose password was forgotten."""

    email: Email


class ResetIn(Schema):
    """The one-time code and the new password."""

    code: Code
    password: Password


class ResetOut(Schema):
    """What came of an administrator's request."""

    status: str = "success"
    message: str
    link: str | None = Field(description="To be handed over; null when it was sent by mail")
