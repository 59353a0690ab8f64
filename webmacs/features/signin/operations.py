"""Finishing a sign-in, renewing it, and proving once more who one is."""

import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import update

from webmacs.core import clock
from webmacs.core.db import affected, db, do_anyway
from webmacs.core.errors import Invalid, Unauthenticated
from webmacs.core.identity import Actor
from webmacs.core.permissions import Can, authorize
from webmacs.features.accounts import operations as accounts
from webmacs.features.accounts import queries as users
from webmacs.features.accounts.models import Login, User
from webmacs.features.accounts.schemas import LoginIn
from webmacs.features.factors import operations as factors
from webmacs.features.factors.schemas import Way
from webmacs.features.signin import queries
from webmacs.features.signin.models import RefreshToken
from webmacs.gateways.signing import fingerprint, verify_password


class Pair(NamedTuple):
    """What an API client signs in with from now on, and what renews it (None: it did not ask)."""

    user: User
    access_token: str
    refresh_token: str | None


def enter_api(attempt: LoginIn, device: str, lifetime: timedelta, renewable: timedelta | None) -> Pair:
    """Open an API client's login; it can be renewed for as long as `renewable` (None: not at all).

    Raises `Unauthenticated`.
    """
    login = accounts.sign_in(attempt, "jwt", device, renewable or lifetime)
    return Pair(
        login.user, accounts.access_token(login, lifetime), None if renewable is None else _issue(login, renewable)
    )


def renew(secret: str, lifetime: timedelta, renewable: timedelta) -> Pair:
    """Take a refresh token back and give a new pair; of several clients at once only one succeeds.

    Raises `Unauthenticated`; for a token that was used before the login ends: one of the two stole it.
    """
    row = queries.refresh_token(secret)
    if row is None or row.expires_on <= clock.now() or row.login.revoked_on is not None:
        raise Unauthenticated("Invalid or expired refresh token.")
    login = row.login
    unused = update(RefreshToken).where(RefreshToken.id == row.id, RefreshToken.used_on.is_(None))
    if not affected(unused.values(used_on=clock.now())):
        do_anyway(lambda: accounts.end_logins(login.user_id, Login.id == login.id))
        raise Unauthenticated("This refresh token was used before; the login has ended.")
    users.actor_of(login.user, users.role_in(login.organization_id, login.user_id), login.organization_id, "jwt", "")
    login.expires_on = clock.now() + renewable
    return Pair(login.user, accounts.access_token(login, lifetime), _issue(login, renewable))


def _issue(login: Login, renewable: timedelta) -> str:
    secret = "wr_" + secrets.token_urlsafe(48)
    now = clock.now()
    row = RefreshToken(login=login, token_hash=fingerprint(secret), created_on=now, expires_on=now + renewable)
    db.session.add(row)
    db.session.flush()
    return secret


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
