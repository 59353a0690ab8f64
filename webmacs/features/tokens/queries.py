"""Reads of API tokens; whom a bearer credential stands for."""

from dataclasses import replace

from sqlalchemy import Select, exists, select

from webmacs.core import clock
from webmacs.core.db import db
from webmacs.core.errors import NotFound, Unauthenticated
from webmacs.core.identity import Actor, Role, Scope
from webmacs.core.paging import Page, PageQuery, paginate
from webmacs.core.permissions import Access, authorize
from webmacs.features.accounts import queries as accounts
from webmacs.features.accounts.models import User
from webmacs.features.tokens.models import ApiToken
from webmacs.gateways.signing import fingerprint


def _of_people(actor: Actor) -> Select[ApiToken]:
    return (
        select(ApiToken)
        .join(ApiToken.user)
        .where(ApiToken.organization_id == actor.organization_id, User.is_service.is_(False))
    )


def find(actor: Actor, query: PageQuery) -> Page[ApiToken]:
    """The asker's own API tokens, an administrator's view of all in the organization; newest first."""
    authorize(actor, Access.SIGNED_IN)
    statement = _of_people(actor)
    if actor.role is not Role.ADMIN:
        statement = statement.where(ApiToken.user_id == actor.user_id)
    return paginate(statement.order_by(ApiToken.created_at.desc(), ApiToken.id.desc()), query)


def get(actor: Actor, public_id: str) -> ApiToken:
    """One API token of the organization; whose it is decides what may be done with it."""
    authorize(actor, Access.SIGNED_IN)
    row = db.session.scalar(_of_people(actor).where(ApiToken.public_id == public_id))
    if row is None:
        raise NotFound("API token")
    return row


def own(actor: Actor) -> ApiToken:
    """The token that asks."""
    return get(actor, actor.session_id or "")


def is_token_of(token: str, username: str) -> bool:
    """Whether this is a valid API token of the service account."""
    owner = select(ApiToken.id).join(ApiToken.user)
    owner = owner.where(ApiToken.token_hash == fingerprint(token), User.username == username, User.is_service)
    return bool(db.session.scalar(select(exists(owner))))


def owner_of(token: str) -> tuple[Actor, ApiToken]:
    """Who an API token stands for. Raises `Unauthenticated` with the documented sentence."""
    found = db.session.execute(accounts.with_role(ApiToken).where(ApiToken.token_hash == fingerprint(token))).first()
    if found is None:
        raise Unauthenticated("Invalid API token.")
    row, role = found
    if row.expires_at is not None and row.expires_at <= clock.now():
        raise Unauthenticated("API token has expired.")
    actor = accounts.actor_of(row.user, role, row.organization_id, "token", row.public_id)
    known = {scope.value for scope in Scope}
    scopes = None if row.scopes is None else frozenset(Scope(name) for name in row.scopes if name in known)
    events = None if row.events is None else frozenset(row.events)
    return replace(actor, scopes=scopes, events=events, requests_per_minute=row.requests_per_minute), row
