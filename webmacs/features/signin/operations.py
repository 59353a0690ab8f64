"""Finishing a sign-in, and proving once more who one is."""

from datetime import datetime, timedelta

from webmacs.core import clock
from webmacs.core.errors import Invalid
from webmacs.core.identity import Actor
from webmacs.core.permissions import Can, authorize
from webmacs.features.accounts import operations as accounts
from webmacs.features.accounts import queries as users
from webmacs.features.factors import operations as factors
from webmacs.features.factors.schemas import Way
from webmacs.features.signin import queries
from webmacs.gateways.signing import verify_password


def enter(user_id: int, way: Way, device: str, lifetime: timedelta) -> str:
    """Open a browser's login for somebody who has proved who they are; returns its public id.

    Raises `Unauthenticated` when they may not come in.
    """
    return accounts.open_login(users.by_id(user_id), "browser", device, lifetime, way).public_id


def confirm(actor: Actor, proof: str) -> datetime:
    """Let the asker change how they sign in because they proved once more who they are; returns until when."""
    authorize(actor, Can.MANAGE_SELF)
    user, kind = users.me(actor), queries.proof_of(actor)
    if kind == "password" and not verify_password(proof, user.password_hash):
        raise Invalid({"proof": "This is not your present password."})
    if kind == "code" and factors.redeem(user.id, proof) is None:
        raise Invalid({"proof": "This code is not right, or was used already."})
    if kind == "login" and users.login(actor, actor.session_id or "").created_on < clock.now() - factors.LASTS:
        raise Invalid({"": "Sign out and in again: this works within ten minutes after signing in."})
    return factors.confirm(actor)
