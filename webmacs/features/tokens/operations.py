"""Every change to API tokens, and recognising who shows one."""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_network

from sqlalchemy import delete, update

from webmacs.core import clock
from webmacs.core.db import db, emit
from webmacs.core.errors import Forbidden, Invalid
from webmacs.core.identity import Actor, Recognised, Role
from webmacs.core.ids import new_id
from webmacs.core.permissions import Can, authorize
from webmacs.features.accounts import operations as accounts
from webmacs.features.accounts import queries as account_queries
from webmacs.features.accounts.facts import AccessEnded
from webmacs.features.accounts.models import User
from webmacs.features.tokens import queries
from webmacs.features.tokens.models import ApiToken
from webmacs.features.tokens.schemas import TokenIn
from webmacs.gateways.signing import fingerprint

NOTE_USE_EVERY = timedelta(minutes=1)
PREFIX = "wm_"
MORE = "A token cannot make one that may do more than itself."


def recognise(credential: str) -> Recognised:
    """Who a bearer credential stands for, an API token or a JWT. Raises `Unauthenticated`."""
    if not credential.startswith(PREFIX):
        return accounts.recognise_jwt(credential)
    actor, row = queries.owner_of(credential)
    is_due = row.last_used_at is None or clock.now() - row.last_used_at >= NOTE_USE_EVERY
    return Recognised(actor, row.expires_at, is_due, None if row.networks is None else tuple(row.networks))


def note_use(actor: Actor) -> None:
    """Write down that the actor's credential was used."""
    if actor.via != "token":
        accounts.note_use(actor)
        return
    db.session.execute(update(ApiToken).where(ApiToken.public_id == actor.session_id).values(last_used_at=clock.now()))


def create(actor: Actor, new: TokenIn) -> tuple[ApiToken, str]:
    """Create an API token for the asker; the secret is returned here and never again.

    It acts in the asker's present organization, and is never less limited than the token that asks.
    """
    authorize(actor, Can.MANAGE_SELF)
    _refuse_more(actor, new)
    return _add(account_queries.me(actor), actor.organization_id, new)


def _refuse_more(actor: Actor, new: TokenIn) -> None:
    if actor.via != "token":
        return
    own = queries.own(actor)
    if own.networks is not None and not _lie_within(new.networks, own.networks):
        raise Invalid({"networks": MORE})
    if own.expires_at is not None and (new.expires_at is None or new.expires_at > own.expires_at):
        raise Invalid({"expires_at": MORE})
    for name, mine, wished in (("scopes", actor.scopes, new.scopes), ("events", actor.events, new.events)):
        if mine is not None and (wished is None or not mine >= set(wished)):
            raise Invalid({name: MORE})
    most, wish = actor.requests_per_minute, new.requests_per_minute
    if most is not None and (wish is None or wish > most):
        raise Invalid({"requests_per_minute": MORE})


def _lie_within(wished: Sequence[str] | None, mine: Sequence[str]) -> bool:
    """Whether each of the wished networks is part of one of mine."""
    outer = [ip_network(network) for network in mine]
    inner = [ip_network(network) for network in wished or ()]
    return wished is not None and all(
        any(part.version == whole.version and part.subnet_of(whole) for whole in outer)  # type: ignore[arg-type]  # same version
        for part in inner
    )


def _add(user: User, organization_id: int, new: TokenIn) -> tuple[ApiToken, str]:
    secret = PREFIX + secrets.token_urlsafe(48)
    row = ApiToken(
        public_id=new_id("tok"),
        user=user,
        organization_id=organization_id,
        name=new.name,
        scopes=None if new.scopes is None else sorted(set(new.scopes)),
        networks=new.networks,
        events=new.events,
        requests_per_minute=new.requests_per_minute,
        token_hash=fingerprint(secret),
        created_at=clock.now(),
        expires_at=new.expires_at,
    )
    db.session.add(row)
    db.session.flush()
    return row, secret


def remove(actor: Actor, public_id: str) -> None:
    """Delete an API token: one's own, or any of the organization for an administrator."""
    authorize(actor, Can.MANAGE_SELF)
    row = queries.get(actor, public_id)
    if row.user_id != actor.user_id:
        if actor.role is not Role.ADMIN:
            raise Forbidden("You can delete only your own API tokens.")
        authorize(actor, Can.MANAGE_USERS)
    db.session.execute(delete(ApiToken).where(ApiToken.id == row.id))
    emit(AccessEnded(actor.organization_id, row.user_id))


def ensure_service_token(organization_id: int, username: str, present: str | None) -> str:
    """An API token of a service account (made when missing) for a process of our own.

    The `present` one is kept while it is valid; a new one ends the earlier ones.
    """
    if present is not None and queries.is_token_of(present, username):
        return present
    user = accounts.service_account(organization_id, username)
    db.session.execute(delete(ApiToken).where(ApiToken.user_id == user.id))
    return _add(user, organization_id, TokenIn(name=username))[1]
