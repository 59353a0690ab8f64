"""What comes in and goes out about invitations."""

from datetime import datetime

from pydantic import Field

from webmacs.core.identity import Role
from webmacs.core.schemas import Schema
from webmacs.features.accounts.schemas import Code, Email, Password, Username


class InvitationIn(Schema):
    """Whom to invite."""

    email: Email
    role: Role = Role.VIEWER


class InvitationOut(Schema):
    """An invitation that can still be accepted; its code is shown nowhere again."""

    public_id: str
    email: str
    role: Role
    created_on: datetime
    expires_on: datetime


class NewInvitationOut(InvitationOut):
    """The one reply that may show the link."""

    link: str | None = Field(description="To be handed over; null when it was sent by mail")


class CodeIn(Schema):
    """The one-time code of an invitation."""

    code: Code


class JoinIn(Schema):
    """A new person's name and password."""

    username: Username
    password: Password
