"""How somebody can prove who they are."""

from typing import Literal

from sqlalchemy import select

from webmacs.core.db import db
from webmacs.core.identity import Actor
from webmacs.features.accounts import queries as accounts
from webmacs.features.factors import queries as factors
from webmacs.features.signin.models import RefreshToken
from webmacs.gateways.signing import fingerprint


def proof_of(actor: Actor) -> Literal["password", "code", "login"]:
    """How the asker can prove it once more: whoever has no password by a code, else by a fresh login."""
    if accounts.me(actor).password_hash is not None:
        return "password"
    return "code" if factors.ways(actor.user_id or 0) else "login"


def refresh_token(secret: str) -> RefreshToken | None:
    """The refresh token that this is, used or not."""
    return db.session.scalar(select(RefreshToken).where(RefreshToken.token_hash == fingerprint(secret)))
