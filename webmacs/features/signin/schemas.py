"""What comes in while somebody proves who they are."""

from pydantic import Field

from webmacs.core.schemas import Schema
from webmacs.features.accounts.schemas import LoginIn


class ProofIn(Schema):
    """What proves once more who it is: the present password, else a code."""

    proof: str = Field(min_length=1, max_length=1024)


class JsonLoginIn(LoginIn):
    """A sign-in attempt of an API client."""

    refresh: bool = Field(False, description="Ask for a refresh token too")


class LoginOut(Schema):
    """A JWT for the API."""

    status: str = "success"
    message: str = "Successfully logged in."
    access_token: str
    public_id: str
    username: str
    refresh_token: str | None = Field(None, exclude_if=lambda value: value is None)


class RefreshIn(Schema):
    """A refresh token that has not been used."""

    refresh_token: str = Field(min_length=1, max_length=255)
