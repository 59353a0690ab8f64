"""What comes in and goes out about users, logins and organizations."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from webmacs.core.identity import Role
from webmacs.core.paging import PageQuery
from webmacs.core.schemas import NO_NUL, Patch, Schema, Search

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


# a one-time code, as it was pasted or typed
Code = Annotated[
    str,
    BeforeValidator(lambda given: "".join(given.split()) if isinstance(given, str) else given),
    StringConstraints(to_upper=True, min_length=1, max_length=100),
    NO_NUL,
]


class LoginIn(Schema):
    """A sign-in attempt."""

    email: Email
    password: str = Field(min_length=1, max_length=1024)
    code: Annotated[str, StringConstraints(max_length=64), NO_NUL] | None = Field(
        None, description="Of the authenticator app, or a recovery code; for users with a second factor"
    )


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
    is_disabled: bool
    is_installation_admin: bool
    last_login_at: datetime | None


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
    is_disabled: bool | None = None
    is_installation_admin: bool | None = None


class UserFilter(PageQuery):
    """Which users of the organization."""

    q: Search | None = Field(None, description="Part of the name or of the e-mail address")
    role: Role | None = Field(None, description="Role in the organization")
    is_disabled: bool | None = Field(None, description="Whether the user may not sign in")


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
