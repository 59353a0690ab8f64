"""Reads of linked identities and of the logins that they opened."""

from collections.abc import Sequence

from sqlalchemy import func, select

from webmacs.core.db import db
from webmacs.core.errors import Misconfigured, NotFound
from webmacs.core.identity import Actor
from webmacs.core.permissions import Can, authorize
from webmacs.features.accounts import queries as accounts
from webmacs.features.accounts.models import Login, Organization
from webmacs.features.sso.models import Identity, SsoLogin
from webmacs.providers import IdentityProvider


def identities(actor: Actor) -> Sequence[Identity]:
    """The asker's own identities, first linked first."""
    authorize(actor, Can.MANAGE_SELF)
    return identities_of(actor.user_id)


def identities_of(user_id: int | None) -> Sequence[Identity]:
    """A user's identities, first linked first."""
    return db.session.scalars(select(Identity).where(Identity.user_id == user_id).order_by(Identity.id)).all()


def identity(actor: Actor, public_id: str) -> Identity:
    """One of the asker's own identities."""
    authorize(actor, Can.MANAGE_SELF)
    mine = select(Identity).where(Identity.user_id == actor.user_id, Identity.public_id == public_id)
    found = db.session.scalar(mine)
    if found is None:
        raise NotFound("Identity", public_id)
    return found


def has_password(actor: Actor) -> bool:
    """Whether the asker can also come in by a password."""
    return accounts.me(actor).password_hash is not None


def by_subject(issuer: str, subject: str) -> Identity | None:
    """The identity that a provider knows by this subject."""
    return db.session.scalar(select(Identity).where(Identity.issuer == issuer, Identity.subject == subject))


def by_id(identity_id: int) -> Identity | None:
    """An identity by its internal id."""
    return db.session.get(Identity, identity_id)


def login_elsewhere(actor: Actor) -> SsoLogin | None:
    """What the provider knows about the asker's login in use; None when it began with a password."""
    authorize(actor, Can.MANAGE_SELF)
    mine = select(SsoLogin).join(Login, Login.id == SsoLogin.login_id).where(Login.public_id == actor.session_id)
    return db.session.scalar(mine)


def login_ids(issuer: str, subject: str | None, sid: str | None) -> Sequence[tuple[int, int]]:
    """(user, login) of the logins that an identity opened: in one session there, or all of them."""
    found = select(Identity.user_id, SsoLogin.login_id).join(Identity).where(Identity.issuer == issuer)
    if subject is not None:
        found = found.where(Identity.subject == subject)
    if sid is not None:
        found = found.where(SsoLogin.sid == sid)
    return [(user_id, login_id) for user_id, login_id in db.session.execute(found)]


def organization_for(provider: IdentityProvider) -> int:
    """The internal id of the organization to which those belong who come first by this provider."""
    if provider.organization:
        named = select(Organization.id).where(func.lower(Organization.name) == provider.organization.lower())
        organization_id = db.session.scalar(named)
    else:
        first = accounts.first_organization()
        organization_id = None if first is None else first.id
    if organization_id is None:
        raise Misconfigured("Single sign-on is not set up completely: OIDC_ORGANIZATION names no organization.")
    return organization_id
