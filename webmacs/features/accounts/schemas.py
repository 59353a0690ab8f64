"""What comes in and goes out about users, logins and tokens."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema, field_validator

from webmacs.core import clock
from webmacs.core.identity import Role
from webmacs.core.schemas import NO_NUL, Moment, Name, Patch, Schema

# Syntax only: laboratories use names such as admin@lab.local, which stricter validators refuse.
ADDRESS = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)*")


def _address(text: str) -> str:
    if not ADDRESS.fullmatch(text):
        raise ValueError("must be an e-mail address such as ada@lab.local")
    return text


Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True, min_length=3, max_length=255),
    AfterValidator(_address),
    NO_NUL,
    WithJsonSchema({"type": "string", "minLength": 3, "maxLength": 255, "pattern": f"^{ADDRESS.pattern}$"}),
]
Username = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=50), NO_NUL]
Password = Annotated[str, StringConstraints(min_length=8, max_length=128), NO_NUL]


class LoginIn(Schema):
    """A sign-in attempt."""

    email: Email
    password: str = Field(min_length=1, max_length=1024)


class LoginOut(Schema):
    """A JWT for the API."""

    status: str = "success"
    message: str = "Successfully logged in."
    access_token: str
    public_id: str
    username: str


class UserOut(Schema):
    """A user as the API shows it; never the password's hash."""

    public_id: str
    email: str
    username: str
    role: Role
    admin: bool
    registered_on: datetime
    created_on: datetime
    sso_provider: str | None


class UserIn(Schema):
    """A new user."""

    email: Email
    username: Username
    password: Password
    role: Role = Role.VIEWER


class UserPatch(Patch):
    """Changes to a user; here null means "leave unchanged"."""

    email: Email | None = None
    username: Username | None = None
    password: Password | None = None
    role: Role | None = None


class ClaimIn(Schema):
    """The first administrator of a new installation, with the one-time code."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=64), NO_NUL]
    email: Email
    username: Username
    password: Password


class ProfilePatch(Patch):
    """What users change about themselves."""

    username: Username


class PasswordChange(Schema):
    """A new password, confirmed by the present one."""

    current_password: str = Field(min_length=1, max_length=1024)
    password: Password


class TokenIn(Schema):
    """A new API token."""

    name: Name
    expires_at: Moment | None = None

    @field_validator("expires_at")
    @classmethod
    def _in_the_future(cls, value: datetime | None) -> datetime | None:
        if value is not None and value <= clock.now():
            raise ValueError("must lie in the future")
        return value


class TokenOut(Schema):
    """An API token without its secret."""

    public_id: str
    name: str
    last_used_at: datetime | None
    expires_at: datetime | None
    created_at: datetime
    user_public_id: str


class NewTokenOut(Schema):
    """The one reply that shows the secret."""

    public_id: str
    name: str
    token: str
    expires_at: datetime | None
    created_at: datetime
