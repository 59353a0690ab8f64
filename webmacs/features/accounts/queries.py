"""Reads of users, logins and tokens; who a credential stands for."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import joinedload

from webmacs.core import clock
from webmacs.core.db import db
from webmacs.core.errors import NotFound, Unauthenticated
from webmacs.core.identity import Actor, Place, Role, Via
from webmacs.core.paging import Page, paginate
from webmacs.core.permissions import Access, Can, authorize
from webmacs.core.tenancy import as_owner
from webmacs.features.accounts.models import Claim, Login, Membership, Organization, User
from webmacs.features.accounts.schemas import UserFilter
from webmacs.gateways.signing import fingerprint, signer

MOST_WORKPLACES = 20  # that the switcher of every page shows


def _people(actor: Actor) -> Select[Membership]:
    return (
        select(Membership)
        .join(Membership.user)
        .where(Membership.organization_id == actor.organization_id, User.is_service.is_(False))
    )


def find(actor: Actor, query: UserFilter) -> Page[Membership]:
    """The users of the organization, first created first."""
    authorize(actor, Can.MANAGE_USERS)
    statement = _people(actor)
    if query.q:
        fits = (User.username.icontains(query.q, autoescape=True), User.email.icontains(query.q, autoescape=True))
        statement = statement.where(or_(*fits))
    if query.role is not None:
        statement = statement.where(Membership.role == query.role)
    if query.is_disabled is not None:
        statement = statement.where(User.disabled_on.is_not(None) if query.is_disabled else User.disabled_on.is_(None))
    return paginate(statement.order_by(User.id), query)


def get(actor: Actor, public_id: str) -> Membership:
    """One user of the organization."""
    authorize(actor, Can.MANAGE_USERS)
    member = db.session.scalar(_people(actor).where(User.public_id == public_id))
    if member is None:
        raise NotFound("User", public_id)
    return member


def member(actor: Actor) -> Membership:
    """The user who asks, as they are in the organization where they act."""
    user = me(actor)
    found = db.session.scalar(
        select(Membership).where(Membership.user_id == user.id, Membership.organization_id == actor.organization_id)
    )
    # an installation administrator is a guest where nobody made them a member
    return found or Membership(user=user, organization_id=actor.organization_id, role=actor.role)


def me(actor: Actor) -> User:
    """The user who asks."""
    authorize(actor, Access.SIGNED_IN)
    user = db.session.get(User, actor.user_id)
    if user is None:
        raise Unauthenticated("User not found.")
    return user


def by_id(user_id: int) -> User:
    """Somebody who has just proved who they are."""
    user = db.session.get(User, user_id)
    if user is None:
        raise Unauthenticated("User not found.")
    return user


def by_public_id(public_id: str) -> User | None:
    """The person behind a public id, in whatever organization."""
    return db.session.scalar(select(User).where(User.public_id == public_id, User.is_service.is_(False)))


def by_email(email: str) -> User | None:
    """The person with this address, in whatever case it was typed."""
    return db.session.scalar(select(User).where(User.email == email.lower(), User.is_service.is_(False)))


def is_member(user_id: int, organization_id: int) -> bool:
    """Whether somebody belongs to the organization."""
    theirs = select(Membership.id).where(Membership.user_id == user_id, Membership.organization_id == organization_id)
    return bool(db.session.scalar(select(exists(theirs))))


def why_not_ours(actor: Actor, member: Membership) -> str:
    """Why the actor may not change somebody's account (e-mail, name, password, state), empty when they may.

    An account that others rely on too is not one organization's to change: it would open the doors elsewhere.
    """
    if actor.is_installation_admin or member.user_id == actor.user_id:
        return ""
    if member.is_installation_admin:
        return "This account administers the installation; only another installation administrator changes it."
    if len(memberships(member.user_id)) > 1:
        return (
            "This account belongs to other organizations too; its owner or an installation administrator changes it. "
            "Here you can change its role or remove it from the organization."
        )
    return ""


def taken(column: Any, value: str, *, besides: int | None = None) -> bool:
    """Whether another user has this e-mail address or name (in any case of letters)."""
    clause = select(User.id).where(func.lower(column) == value.lower(), User.id != (besides or 0))
    return bool(db.session.scalar(select(exists(clause))))


def count_admins(organization_id: int) -> int:
    """How many administrators of the organization can sign in."""
    admins = (
        select(func.count())
        .select_from(Membership)
        .join(Membership.user)
        .where(Membership.organization_id == organization_id, Membership.role == Role.ADMIN)
    )
    return db.session.scalar(admins.where(User.is_service.is_(False), User.disabled_on.is_(None))) or 0


def count_installation_admins() -> int:
    """How many installation administrators can sign in."""
    admins = select(func.count()).where(User.is_installation_admin, User.disabled_on.is_(None))
    return db.session.scalar(admins) or 0


@as_owner()  # wherever that is
def memberships(user_id: int) -> Sequence[Membership]:
    """Everywhere that the user belongs to, first joined first."""
    mine = select(Membership).where(Membership.user_id == user_id).options(joinedload(Membership.organization))
    return db.session.scalars(mine.order_by(Membership.id)).all()


@as_owner()  # wherever that is
def at_work_in(user_id: int) -> list[int]:
    """The organizations (internal ids) where the user is a member or has been signed in."""
    joined = select(Membership.organization_id).where(Membership.user_id == user_id)
    # also where the login ended just now: what was opened with it has to be closed
    recent = select(Login.organization_id).where(Login.user_id == user_id, Login.expires_on > clock.now())
    return sorted(db.session.scalars(joined.union(recent)))


def where_last(user: User) -> int | None:
    """The organization in which the user begins: the one of their newest login, else the first they joined."""
    may = [member.organization_id for member in memberships(user.id)]
    newest = select(Login.organization_id).where(Login.user_id == user.id).order_by(Login.id.desc()).limit(1)
    last = db.session.scalar(newest)
    if last is not None and (last in may or user.is_installation_admin):
        return last
    if may:
        return may[0]
    first = first_organization()
    return first.id if user.is_installation_admin and first is not None else None


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
    mine = select(Membership.user_id).where(Membership.organization_id == organization_id)
    return db.session.scalar(select(User).where(User.id.in_(mine), User.username == username, User.is_service))


def role_in(organization_id: int, user_id: int) -> str | None:
    """The user's role in an organization, None when they are no member."""
    mine = Membership.user_id == user_id, Membership.organization_id == organization_id
    return db.session.scalar(select(Membership.role).where(*mine))


def with_role(credential: Any) -> Select[Any]:
    """Rows of a table of credentials with their owners, and the role that the owner has where it acts: one question."""
    there = (Membership.user_id == credential.user_id) & (Membership.organization_id == credential.organization_id)
    return select(credential, Membership.role).outerjoin(Membership, there)


def actor_of(user: User, role: str | None, organization_id: int, via: Via, session_id: str) -> Actor:
    """The user at work in an organization. Raises `Unauthenticated` when they may not (any more)."""
    if user.disabled_on is not None:
        raise Unauthenticated("This account is disabled.")
    is_chief = user.is_installation_admin
    if role is None and not is_chief:
        raise Unauthenticated("You are not a member of this organization any more.")
    granted = Role.ADMIN if is_chief or role is None else Role(role)
    return Actor(
        user.id,
        user.public_id,
        user.username,
        organization_id,
        granted,
        via,
        session_id,
        is_installation_admin=is_chief,
    )


def login_of_jwt(token: str) -> tuple[Actor, Login]:
    """Who a JWT stands for. Raises `Unauthenticated` with the documented sentence."""
    claims = signer.read(token)
    if claims is None:
        raise Unauthenticated("Invalid or expired token.")
    found = db.session.execute(with_role(Login).where(Login.public_id == str(claims.get("jti")))).first()
    if found is None:
        raise Unauthenticated("User not found.")
    login, role = found
    if login.revoked_on is not None:
        raise Unauthenticated("Token has been revoked.")
    return actor_of(login.user, role, login.organization_id, "jwt", login.public_id), login


def login_of_browser(public_id: str) -> tuple[Actor, Login]:
    """Who a browser's session stands for. Raises `Unauthenticated` when it ended."""
    organizations = select(func.count()).select_from(Organization).scalar_subquery()
    mine = with_role(Login).add_columns(organizations)
    found = db.session.execute(mine.where(Login.public_id == public_id, Login.via == "browser")).first()
    if found is None or found[0].revoked_on is not None or found[0].expires_on <= clock.now():
        raise Unauthenticated("The session has ended.")
    login, role, count = found
    actor = actor_of(login.user, role, login.organization_id, "browser", login.public_id)
    return (replace(actor, workplaces=_workplaces(actor)) if count > 1 else actor), login


def _workplaces(actor: Actor) -> tuple[Place, ...]:
    """Where else somebody may go, the present organization first: all pages show the way."""
    theirs = (Membership.organization_id == Organization.id) & (Membership.user_id == actor.user_id)
    is_here = Organization.id == actor.organization_id
    statement = select(Organization.public_id, Organization.name)
    if not actor.is_installation_admin:
        statement = statement.join(Membership, theirs)
    found = db.session.execute(statement.order_by(is_here.desc(), Organization.name).limit(MOST_WORKPLACES))
    return tuple(Place(row.public_id, row.name) for row in found)


@as_owner()  # one's own, wherever they act
def logins(actor: Actor) -> Sequence[Login]:
    """The valid logins of the user who asks, last used first."""
    authorize(actor, Access.SIGNED_IN)
    return _logins_of(actor.user_id)


def logins_of(actor: Actor, public_id: str) -> Sequence[Login]:
    """The valid logins of a user in the actor's organization, last used first."""
    user = get(actor, public_id).user
    return [login for login in _logins_of(user.id) if login.organization_id == actor.organization_id]


def _logins_of(user_id: int | None) -> Sequence[Login]:
    mine = select(Login).where(Login.user_id == user_id, Login.revoked_on.is_(None), Login.expires_on > clock.now())
    return db.session.scalars(mine.order_by(Login.last_used_at.desc(), Login.id.desc())).all()


@as_owner()  # one's own, wherever they act
def login(actor: Actor, public_id: str) -> Login:
    """One of the asker's own logins."""
    row = db.session.scalar(select(Login).where(Login.user_id == actor.user_id, Login.public_id == public_id))
    if row is None:
        raise NotFound("Session", public_id)
    return row
