"""What comes in and goes out about single sign-on."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator

from webmacs.core.schemas import NO_NUL, Schema
from webmacs.providers import DEFAULT, IdentityProvider

Key = Annotated[str, StringConstraints(min_length=1, max_length=32), NO_NUL]
Parameter = Annotated[str, StringConstraints(min_length=1, max_length=4096), NO_NUL]


class ProviderQuery(Schema):
    """Which provider is meant."""

    provider: Key = DEFAULT


class AuthorizeQuery(ProviderQuery):
    """Where to go on after signing in: a path of this site."""

    next: Annotated[str, StringConstraints(max_length=2048), NO_NUL] = "/"


class CallbackQuery(ProviderQuery):
    """What the provider sends back: code and state, or an error and the state."""

    code: Parameter
    state: Parameter
    error: Annotated[str, StringConstraints(max_length=255), NO_NUL] = ""
    iss: Annotated[str, StringConstraints(max_length=2048), NO_NUL] = ""

    @model_validator(mode="before")
    @classmethod
    def _an_error_needs_no_code(cls, given: Any) -> Any:
        return {"code": "-", "state": "-"} | given if isinstance(given, dict) and given.get("error") else given


class OfferOut(Schema):
    """A provider that people may sign in with."""

    key: str
    provider_name: str
    authorize_url: str


class ConfigOut(Schema):
    """Whether the provider is offered, and all that are."""

    enabled: bool
    provider_name: str
    authorize_url: str
    providers: list[OfferOut]


class ExchangeIn(Schema):
    """The one-time code."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=256), NO_NUL]


class ExchangeOut(Schema):
    """A JWT for the API."""

    access_token: str


class LogoutOut(Schema):
    """The provider only looks at the status."""

    status: str = "success"


class LinkIn(Schema):
    """The wish to link one's account, confirmed by the password."""

    provider: Key
    current_password: str = Field(min_length=1, max_length=1024)


class UnlinkIn(Schema):
    """The wish to part with an identity, confirmed by the password."""

    current_password: str = Field(min_length=1, max_length=1024)


class Flow(Schema):
    """What a browser carries, sealed, while it is at the provider."""

    provider: str
    state: str
    nonce: str
    verifier: str
    next: str
    links: str | None = None  # the login whose account is to be linked; None: somebody signs in


class Intent(Schema):
    """What a browser carries, sealed, once its user confirmed by password that an identity shall be linked."""

    provider: str
    session_id: str


class Landing(Schema):
    """What a browser carries, sealed, from the callback to our own page: the one-time code is for it alone."""

    code_hash: str
    next: str


class Ticket(Schema):
    """What a one-time code stands for."""

    identity_id: int
    user_id: int
    provider: str
    sid: str | None
    id_token: str


@dataclass(frozen=True)
class Visitor:
    """Who stands at the door, as a provider vouches for them."""

    provider: IdentityProvider
    issuer: str
    subject: str
    email: str | None
    is_verified: bool
    name: str | None
    claims: dict[str, Any]  # of the ID token and the userinfo together
    sid: str | None
    id_token: str
