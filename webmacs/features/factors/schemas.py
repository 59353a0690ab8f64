"""What comes in about second factors, and how they are shown."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from webmacs.core.schemas import NO_NUL, Schema

Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64), NO_NUL]


class Way(StrEnum):
    """What can follow the password."""

    TOTP = "totp"
    PASSKEY = "passkey"
    RECOVERY = "recovery"
    SSO = "sso"  # an identity provider vouches; what it asks for is its own business


class Purpose(StrEnum):
    """What a step is for."""

    SIGN_IN = "sign-in"
    PASSWORDLESS = "passwordless"
    REGISTER = "register"
    CONFIRMED = "confirmed"


class CodeIn(Schema):
    """A code of the authenticator app, or a recovery code."""

    code: Code


class PasskeyIn(Schema):
    """What a new passkey is called."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), NO_NUL]


class AnswerIn(Schema):
    """The browser's answer about a passkey."""

    credential: str = Field(min_length=2, max_length=20_000)


class PasskeyAnswerIn(PasskeyIn, AnswerIn):
    """The browser's answer about a new passkey, and what it is called."""


@dataclass(frozen=True)
class PasskeyOut:
    """A passkey as its owner sees it."""

    public_id: str
    name: str
    rp_id: str
    created_on: datetime
    last_used_at: datetime | None


@dataclass(frozen=True)
class Summary:
    """The second factors of a user. `codes_left` are unused recovery codes."""

    authenticator_since: datetime | None
    passkeys: list[PasskeyOut]
    codes_left: int

    @property
    def is_on(self) -> bool:
        """Whether signing in asks for more than the password."""
        return self.authenticator_since is not None or bool(self.passkeys)
