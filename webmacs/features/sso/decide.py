"""Which name and which role somebody gets who comes by an identity provider, and who they claim to be."""

import re
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

from webmacs.core.identity import Role

LONGEST = 50  # characters of a username
STRONGEST_FIRST = (Role.ADMIN, Role.OPERATOR, Role.VIEWER)


class Address(NamedTuple):
    """An e-mail address, and whether the provider says that it is theirs."""

    email: str | None
    is_verified: bool


def address(id_token: Mapping[str, Any], userinfo: Mapping[str, Any]) -> Address:
    """The address. What says that it is verified counts only where the address itself stands."""
    source = userinfo if userinfo.get("email") else id_token
    email = source.get("email")
    if not isinstance(email, str) or not email.strip():
        return Address(None, False)
    return Address(email.strip(), source.get("email_verified") in (True, "true"))


def username(preferred: str | None, email: str) -> str:
    """A name of our own letters: from the provider's name for the user, else from the address, else by chance."""
    wished = (preferred or "").strip() or email.partition("@")[0]
    kept = re.sub(r"[^A-Za-z0-9._-]", "", wished)[:LONGEST]
    return kept or f"sso_user_{secrets.token_hex(3)}"


def another(name: str) -> str:
    """A name like this one, for when it is taken."""
    return f"{name[: LONGEST - 7]}_{secrets.token_hex(3)}"


def role(claims: Mapping[str, Any], claim: str, mapping: Mapping[str, str], default: str) -> Role:
    """The strongest role that the values of the claim are mapped to, the default when there is none.

    A name with dots may lead into nested claims: `realm_access.roles`.
    """
    found = {mapping[value] for value in _values(claims, claim) if value in mapping}
    return next((strong for strong in STRONGEST_FIRST if strong in found), Role(default))


def _values(claims: Mapping[str, Any], claim: str) -> list[str]:
    found: Any = claims.get(claim)
    if found is None:
        found = claims
        for part in claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    listed = found if isinstance(found, list) else [found]
    return [value for value in listed if isinstance(value, str)]
