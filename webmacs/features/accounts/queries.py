"""Reads of users, logins and tokens; who a credential stands for."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, exists, func, select

from webmacs.core import clock
from webmacs.core.db import db
from webmacs.core.errors import NotFound, Unauthenticated
from webmacs.core.identity import Actor, Role, Via
from webmacs.core.paging import Page, PageQuery, paginate
from webmacs.core.permissions import Access, Can, authorize
from webmacs.features.accounts.models import ApiToken, Claim, Login, Organization, User
from webmacs.gateways.signing import fingerprint, signer


def _people(actor: Actor) -> Select[User]:
    return select(User).where(User.organization_id == actor.organization_id, User.is_service.is_(False))


def find(actor: Actor, query: PageQuery) -> Page[User]:
    """The users of the organization, first created first."""
    authorize(actor, Can.MANAGE_USERS)
    return paginate(_people(actor).order_by(User.id), query)


def get(actor: Actor, public_id: str) -> User:
    """One user of the organization."""
    authorize(actor, Can.MANAGE_USERS)
    user = db.session.scalar(_people(actor).where(User.public_id == public_id))
    if user is None:
        raise NotFound("User", public_id)
    return user


def me(actor: Actor) -> User:
    """The user who asks."""
    authorize(actor, Access.SIGNED_IN)
    user = db.session.get(User, actor.user_id)
    if user is None:
        raise Unauthenticated("User not found.")
    return user


def by_email(email: str) -> User | None:
    """The person with this address, in whatever case it was typed."""
    return db.session.scalar(select(User).where(User.email == email.lower(), User.is_service.is_(False)))


def taken(column: Any, value: str, *, besides: int | None = None) -> bool:
    """Whether another user has this e-mail address or name (in any case of letters)."""
    clause = select(User.id).where(func.lower(column) == value.lower(), User.id != (besides or 0))
    return bool(db.session.scalar(select(exists(clause))))


def count_admins(organization_id: int) -> int:
    """How many administrators the organization has."""
    admins = select(func.count()).where(User.organization_id == organization_id, User.role == Role.ADMIN)
    return db.session.scalar(admins.where(User.is_service.is_(False))) or 0


def is_claimed() -> bool:
    """Whether the installation has a person who can sign in."""
    return bool(db.session.scalar(select(exists(select(User.id).where(User.is_service.is_(False))))))


def claim_row(code: str) -> Claim | None:
    """The open claim that this code fits."""
    return db.session.scalar(select(Claim).where(Claim.code_hash == fingerprint(code)).with_for_update())


def first_organization() -> Organization | None:
    """The organization that a new installation begins with."""
    return db.session.scalar(select(Organization).order_by(Organization.id).limit(1))


def service_user(organization_id: int, username: str) -> User | None:
    """A service account by its name."""
    return db.session.scalar(
        select(User).where(User.organization_id == organization_id, User.username == username, User.is_service)
    )


def is_token_of(token: str, username: str) -> bool:
    """Whether this is a valid API token of the service account."""
    owner = select(ApiToken.id).join(User).where(ApiToken.token_hash == fingerprint(token), User.username == username)
    return bool(db.session.scalar(select(exists(owner.where(User.is_service)))))


def _actor(user: User, via: Via, session_id: str) -> Actor:
    return Actor(user.id, user.public_id, user.username, user.organization_id, Role(user.role), via, session_id)


def login_of_jwt(token: str) -> tuple[Actor, Login]:
    """Who a JWT stands for. Raises `Unauthenticated` with the documented sentence."""
    claims = signer.read(token)
    if claims is None:
        raise Unauthenticated("Invalid or expired token.")
    login = db.session.scalar(select(Login).where(Login.public_id == str(claims.get("jti"))))
    if login is None:
        raise Unauthenticated("User not found.")
    if login.revoked_on is not None:
        raise Unauthenticated("Token has been revoked.")
    return _actor(login.user, "jwt", login.public_id), login


def login_of_browser(public_id: str) -> tuple[Actor, Login] | None:
    """Who a browser's session stands for, None when it ended."""
    login = db.session.scalar(select(Login).where(Login.public_id == public_id, Login.via == "browser"))
    if login is None or login.revoked_on is not None or login.expires_on <= clock.now():
        return None
    return _actor(login.user, "browser", login.public_id), login


def owner_of_token(token: str) -> tuple[Actor, ApiToken]:
    """Who an API token stands for. Raises `Unauthenticated` with the documented sentence."""
    row = db.session.scalar(select(ApiToken).where(ApiToken.token_hash == fingerprint(token)))
    if row is None:
        raise Unauthenticated("Invalid API token.")
    if row.expires_at is not None and row.expires_at <= clock.now():
        raise Unauthenticated("API token has expired.")
    return _actor(row.user, "token", row.public_id), row


def logins(actor: Actor) -> Sequence[Login]:
    """The valid logins of the user who asks, last used first."""
    authorize(actor, Access.SIGNED_IN)
    mine = select(Login).where(
        Login.user_id == actor.user_id, Login.revoked_on.is_(None), Login.expires_on > clock.now()
    )
    return db.session.scalars(mine.order_by(Login.last_used_at.desc(), Login.id.desc())).all()


def login(actor: Actor, public_id: str) -> Login:
    """One of the asker's own logins."""
    row = db.session.scalar(select(Login).where(Login.user_id == actor.user_id, Login.public_id == public_id))
    if row is None:
        raise NotFound("Session", public_id)
    return row


def tokens(actor: Actor, query: PageQuery) -> Page[ApiToken]:
    """The asker's own API tokens, an administrator's view of all in the organization; newest first."""
    authorize(actor, Access.SIGNED_IN)
    owners = (User.organization_id == actor.organization_id, User.is_service.is_(False))
    statement = select(ApiToken).join(User).where(*owners)
    if actor.role is not Role.ADMIN:
        statement = statement.where(ApiToken.user_id == actor.user_id)
    return paginate(statement.order_by(ApiToken.created_at.desc(), ApiToken.id.desc()), query)


def token(actor: Actor, public_id: str) -> ApiToken:
    """One API token of the organization; whose it is decides what may be done with it."""
    authorize(actor, Access.SIGNED_IN)
    row = db.session.scalar(
        select(ApiToken)
        .join(User)
        .where(
            ApiToken.public_id == public_id,
            User.organization_id == actor.organization_id,
            User.is_service.is_(False),
        )
    )
    if row is None:
        raise NotFound("API token")
    return row
