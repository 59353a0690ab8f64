"""An identity provider (OpenID Connect) as the settings describe it."""

import json
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, TypeAdapter

DEFAULT = "default"  # the key of the provider that the plain OIDC_* variables describe
CALLBACK = "/api/v1/auth/sso/callback"
# only signatures by which a key that everybody may read proves something: neither `none` nor HMAC
USUAL_ALGORITHMS = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512"
ALGORITHMS = frozenset({*USUAL_ALGORITHMS.split(), "EdDSA"})


def _address(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment):
        raise ValueError("must be an address such as https://login.example.org/realms/laboratory")
    return text.rstrip("/")


def _redirect_address(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.path.endswith(CALLBACK)):
        raise ValueError(f"must be an address such as https://webmacs.example.org{CALLBACK}")
    return text


def _algorithms(text: str) -> str:
    named = text.replace(",", " ").split()
    strange = [name for name in named if name not in ALGORITHMS]
    if strange or not named:
        raise ValueError(f"{', '.join(strange) or 'nothing'} cannot be used; choose of {', '.join(sorted(ALGORITHMS))}")
    return " ".join(named)


def _scopes(text: str) -> str:
    if "openid" not in text.split():
        raise ValueError("must hold the scope openid")
    return text


def _parsed(value: Any) -> Any:
    """JSON in a variable of the environment; what is already parsed stays."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value or "null")
    except ValueError as broken:
        raise ValueError(f"must be JSON: {broken}") from None


Address = Annotated[str, AfterValidator(_address)]
RedirectAddress = Annotated[str, AfterValidator(_redirect_address)]
Algorithms = Annotated[str, AfterValidator(_algorithms)]
Scopes = Annotated[str, AfterValidator(_scopes)]
RoleName = Literal["admin", "operator", "viewer"]
RoleMapping = Annotated[dict[str, RoleName], BeforeValidator(lambda value: _parsed(value) or {})]


class IdentityProvider(BaseModel):
    """One provider. Field by field the same as the variables OIDC_*; `key` names it in addresses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Annotated[str, StringConstraints(pattern="^[a-z0-9][a-z0-9-]{0,31}$")]
    enabled: bool = True
    provider_name: Annotated[str, StringConstraints(min_length=1, max_length=100)] = "SSO"
    issuer_url: Address
    client_id: str
    client_secret: str = Field("", repr=False)
    scopes: Scopes = "openid email profile"
    redirect_uri: RedirectAddress = ""
    default_role: RoleName = "viewer"
    auto_create_users: bool = True
    organization: str = ""
    role_claim: str = ""
    role_mapping: RoleMapping = {}
    allowed_algorithms: Algorithms = USUAL_ALGORITHMS


class _Listed(IdentityProvider):
    """One of OIDC_PROVIDERS: it is there to be used, so it is whole from the start."""

    issuer_url: Annotated[Address, StringConstraints(min_length=1)]
    client_id: Annotated[str, StringConstraints(min_length=1)]


def _listed(value: Any) -> tuple[IdentityProvider, ...]:
    found = TypeAdapter(tuple[_Listed, ...]).validate_python(_parsed(value) or ())
    keys = [provider.key for provider in found]
    if DEFAULT in keys or len(set(keys)) < len(keys):
        raise ValueError(f"every provider has a key of its own, other than {DEFAULT}")
    return found


Listed = Annotated[tuple[IdentityProvider, ...], BeforeValidator(_listed)]
