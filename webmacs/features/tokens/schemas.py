"""What comes in and goes out about API tokens."""

from datetime import datetime
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema, field_validator

from webmacs.core import clock
from webmacs.core.identity import Scope
from webmacs.core.schemas import Moment, Name, Reference, Schema


def _network(text: str) -> str:
    try:
        return str(ip_network(text.strip(), strict=False))
    except ValueError:
        raise ValueError("must be an address or a network such as 192.168.1.0/24") from None


Network = Annotated[str, AfterValidator(_network), WithJsonSchema({"type": "string", "examples": ["192.168.1.0/24"]})]


class TokenIn(Schema):
    """A new API token; null limits nothing: it may then do what its owner may."""

    name: Name
    expires_at: Moment | None = None
    scopes: list[Scope] | None = Field(None, min_length=1, max_length=len(Scope))
    networks: list[Network] | None = Field(None, min_length=1, max_length=50)
    events: list[Reference] | None = Field(None, min_length=1, max_length=500)
    requests_per_minute: int | None = Field(None, ge=1, le=10_000_000)

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
    scopes: list[Scope] | None
    networks: list[str] | None
    events: list[str] | None
    requests_per_minute: int | None


class NewTokenOut(Schema):
    """The one reply that shows the secret."""

    public_id: str
    name: str
    token: str
    expires_at: datetime | None
    created_at: datetime
