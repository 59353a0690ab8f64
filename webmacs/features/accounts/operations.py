"""Every change to users, their memberships and logins."""

from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import delete, select, update

from webmacs.core import clock
from webmacs.core.db import db, emit, note_refusal
from webmacs.core.errors import Conflict, Forbidden, Invalid, SecondFactorRequired, Unauthenticated
from webmacs.core.identity import Actor, Recognised, Role
from webmacs.core.ids import new_code, new_id
from webmacs.core.permissions import Access, Can, authorize
from webmacs.core.tenancy import as_owner
from webmacs.core.trail import Refused
from webmacs.features.accounts import queries
from webmacs.features.accounts.facts import AccessEnded, UserDisabled, UserSignedIn
from webmacs.features.accounts.models import Claim, Login, Membership, Organization, User
from webmacs.features.accounts.schemas import (
    ClaimIn,
    LoginIn,
    PasswordChange,
    UserIn,
    UserPatch,
)
from webmacs.features.factors import operations as factors
from webmacs.features.factors.schemas import Way
from webmacs.gateways.passwords import hash_good, refuse_guessable
from webmacs.gateways.signing import fingerprint, hash_password, is_outdated, signer, verify_password

NOTE_USE_EVERY = timedelta(minutes=1)


# --- signing in and out -----------------------------------------------------------------------------------------------


def sign_in(attempt: LoginIn, via: Literal["browser", "jwt"], device: str, lifetime: timedelta) -> Login:
    """Check the password and open a login. One sentence for every wrong password, and the same time for it.

    Raises `SecondFactorRequired` when the user has a second factor and the attempt carries no right code.
    """
    user = queries.by_email(attempt.email)
    if not verify_password(attempt.password, user.password_hash if user else None) or user is None:
        note_refusal(Refused("Invalid email or password.", "sign-in", attempt.email, user.id if user else None))
        raise Unauthenticated("Invalid email or password.")
    if user.password_hash is not None and is_outdated(user.password_hash):
        user.password_hash = hash_password(attempt.password)
    try:
        return open_login(user, via, device, lifetime, factors.require(user.id, attempt.code))
    except Unauthenticated as refused:
        if attempt.code or not isinstance(refused, SecondFactorRequired):  # to be asked for a code is no refusal
            note_refusal(Refused(str(refused), "sign-in", attempt.email, user.id))
        raise


def open_login(
    user: User, via: Literal["browser", "jwt"], device: str, lifetime: timedelta, way: Way | None = None
) -> Login:
    """Open a login for somebody who has proved who they are. Raises `Unauthenticated` when they may not come in."""
    organization_id = queries.where_last(user)
    if organization_id is None:
        raise Unauthenticated("This account belongs to no organization (any more).")
    public_id, now = new_id("ses"), clock.now()
    queries.actor_of(user, queries.role_in(organization_id, user.id), organization_id, via, public_id)
    login = Login(
        public_id=public_id,
        user=user,
        organization_id=organization_id,
        via=via,
        device=device[:255].replace("\x00", ""),
        created_on=now,
        last_used_at=now,
        expires_on=now + lifetime,
    )
    user.last_login_at = now
    db.session.add(login)
    db.session.flush()
    emit(UserSignedIn(organization_id, user.id, user.username, way or ""))
    return login


def access_token(login: Login, lifetime: timedelta | None = None) -> str:
    """The JWT of a login: `jti` is the login's id, so that it can be revoked alone. It lasts as long as the login,
    or as `lifetime` from now on.
    """
    ends_on = login.expires_on if lifetime is None else clock.now() + lifetime
    return signer.sign(
        {
            "sub": login.user.public_id,
            "jti": login.public_id,
            "iat": int(login.created_on.timestamp()),
            "exp": int(ends_on.timestamp()),
            "role": queries.role_in(login.organization_id, login.user_id) or Role.ADMIN,
        }
    )


def sign_out(actor: Actor) -> None:
    """End the login in use. An API token is not a login: delete it instead."""
    authorize(actor, Access.SIGNED_IN)
    if actor.via == "token":
        raise Conflict("An API token cannot be logged out; delete it under API tokens.")
    end_logins(actor.user_id, Login.public_id == actor.session_id)


def end_login(actor: Actor, public_id: str) -> None:
    """End one of the asker's own logins, on whatever device."""
    authorize(actor, Can.MANAGE_SELF)
    end_logins(actor.user_id, Login.id == queries.login(actor, public_id).id)


def end_other_logins(actor: Actor) -> None:
    """End all of the asker's logins but the one in use."""
    authorize(actor, Can.MANAGE_SELF)
    end_logins(actor.user_id, Login.public_id != actor.session_id)


@as_owner()  # wherever they act
def end_logins(user_id: int | None, *which: Any) -> None:
    """End the user's logins (those that fit) and everything that was opened with them."""
    mine = Login.user_id == user_id, Login.revoked_on.is_(None), *which
    db.session.execute(update(Login).where(*mine).values(revoked_on=clock.now()))
    factors.abandon_sign_ins(user_id)
    tell_that_access_ended(user_id)


def end_logins_besides(user_id: int, session_id: str | None) -> None:
    """End the user's logins but the one in use."""
    end_logins(user_id, Login.public_id != (session_id or ""))


def tell_that_access_ended(user_id: int | None) -> None:
    """Let every organization where the user is at work look again at what they have open."""
    if user_id is not None:
        for organization_id in queries.at_work_in(user_id):
            emit(AccessEnded(organization_id, user_id))


@as_owner()  # from one organization to another
def move_login(actor: Actor, organization_id: int) -> None:
    """Let the login in use act in another organization, and look again at what it has open."""
    authorize(actor, Can.MANAGE_SELF)
    tell_that_access_ended(actor.user_id)
    mine = Login.public_id == actor.session_id
    db.session.execute(update(Login).where(mine).values(organization_id=organization_id))


# --- recognising ------------------------------------------------------------------------------------------------------


def recognise_jwt(credential: str) -> Recognised:
    """Who a JWT stands for. Raises `Unauthenticated`."""
    actor, login = queries.login_of_jwt(credential)
    return Recognised(actor, login.expires_on, _is_due(login))


def recognise_browser(session_id: str) -> Recognised:
    """Who a browser's session stands for. Raises `Unauthenticated` when it ended."""
    actor, login = queries.login_of_browser(session_id)
    return Recognised(actor, login.expires_on, _is_due(login))


def _is_due(login: Login) -> bool:
    return clock.now() - login.last_used_at >= NOTE_USE_EVERY


def note_use(actor: Actor) -> None:
    """Write down that the actor's login was used."""
    db.session.execute(update(Login).where(Login.public_id == actor.session_id).values(last_used_at=clock.now()))


# --- users ------------------------------------------------------------------------------------------------------------


def create(actor: Actor, new: UserIn) -> Membership:
    """Create a user in the actor's organization."""
    authorize(actor, Can.MANAGE_USERS)
    return add_user(actor.organization_id, new.email, new.username, new.password, new.role)


def add_user(organization_id: int, email: str, username: str, password: str | None, role: Role) -> Membership:
    """Make a user (without a password: one who comes in by other ways) and a member of the organization."""
    refuse_duplicates(email, username)
    user = User(
        public_id=new_id("usr"),
        email=email,
        username=username,
        password_hash=None if password is None else hash_good(password, username, email),
        registered_on=clock.now(),
    )
    db.session.add(user)
    return add_member(user, organization_id, role)


def add_member(user: User, organization_id: int, role: Role) -> Membership:
    """Make somebody a member of an organization."""
    member = Membership(user=user, organization_id=organization_id, role=role, joined_on=clock.now())
    db.session.add(member)
    db.session.flush()
    return member


def change(actor: Actor, public_id: str, patch: UserPatch) -> Membership:
    """Change a user. A new password, another role or being disabled ends all of the user's logins."""
    authorize(actor, Can.MANAGE_USERS)
    member = queries.get(actor, public_id)
    wished = {field: value for field, value in patch.changes().items() if value is not None}
    now = {field: getattr(member, field) for field in wished if field != "password"}
    changes = {field: value for field, value in wished.items() if field == "password" or value != now[field]}
    if changes.keys() - {"role"}:
        _refuse_foreign(actor, member)
    refuse_duplicates(changes.get("email"), changes.get("username"), besides=member.user_id)
    if "is_installation_admin" in changes:
        authorize(actor, Can.MANAGE_ORGANIZATIONS)
        _keep_an_installation_admin(member)
    if changes.get("is_disabled") and member.user_id == actor.user_id:
        raise Conflict("You cannot disable your own account.")
    if "role" in changes or changes.get("is_disabled"):
        _keep_an_admin(member)
    if changes.get("is_disabled"):
        _keep_an_installation_admin(member)
    _apply(member, changes)
    if changes.get("is_disabled"):
        emit(UserDisabled(actor.organization_id, member.user_id, member.username))
    if changes.keys() & {"password", "role", "is_disabled", "is_installation_admin"}:
        end_logins(member.user_id, Login.public_id != (actor.session_id or ""))
    return member


def _apply(member: Membership, changes: dict[str, Any]) -> None:
    user = member.user
    if "role" in changes:
        member.role = changes["role"]
    if "is_disabled" in changes:
        user.disabled_on = clock.now() if changes["is_disabled"] else None
    user.is_installation_admin = changes.get("is_installation_admin", user.is_installation_admin)
    user.email = changes.get("email", user.email)
    user.username = changes.get("username", user.username)
    if "password" in changes:
        user.password_hash = hash_good(changes["password"], user.username, user.email)
    db.session.flush()


def _refuse_foreign(actor: Actor, member: Membership) -> None:
    reason = queries.why_not_ours(actor, member)
    if reason:
        raise Forbidden(reason)


def remove(actor: Actor, public_id: str) -> None:
    """Remove a user from the organization, and delete those who belong to no other. What they made stays."""
    authorize(actor, Can.MANAGE_USERS)
    member = queries.get(actor, public_id)
    if member.user_id == actor.user_id:
        raise Conflict("You cannot delete your own account.")
    if member.is_installation_admin and not actor.is_installation_admin:
        _refuse_foreign(actor, member)
    _keep_an_admin(member)
    tell_that_access_ended(member.user_id)
    user = member.user
    db.session.delete(member)
    db.session.flush()
    if user.is_installation_admin or queries.memberships(user.id):
        end_logins(user.id, Login.organization_id == actor.organization_id)
    else:
        db.session.delete(user)
        db.session.flush()


def _keep_an_admin(member: Membership) -> None:
    if member.role != Role.ADMIN or member.is_disabled:
        return
    # The rows are locked so that two administrators cannot remove each other at the same moment.
    mine = select(Membership.id).where(Membership.organization_id == member.organization_id)
    db.session.execute(mine.with_for_update()).all()
    if queries.count_admins(member.organization_id) <= 1:
        raise Conflict("This is the last administrator; appoint another one first.")


def _keep_an_installation_admin(member: Membership) -> None:
    if not member.is_installation_admin or member.is_disabled:
        return
    db.session.execute(select(User.id).where(User.is_installation_admin).with_for_update()).all()
    if queries.count_installation_admins() <= 1:
        raise Conflict("This is the last administrator of the installation; appoint another one first.")


def refuse_duplicates(email: str | None, username: str | None, besides: int | None = None) -> None:
    """Raise `Conflict` when somebody else has this address or name."""
    if email is not None and queries.taken(User.email, email, besides=besides):
        raise Conflict("User already exists.")
    if username is not None and queries.taken(User.username, username, besides=besides):
        raise Conflict("User already exists: this username is taken.")


def set_password(user: User, password: str) -> None:
    """Give somebody a new password; all of their logins end."""
    user.password_hash = hash_good(password, user.username, user.email)
    end_logins(user.id)


def rename_self(actor: Actor, username: str) -> User:
    """Change the asker's own name."""
    authorize(actor, Can.MANAGE_SELF)
    user = queries.me(actor)
    refuse_duplicates(None, username, besides=user.id)
    user.username = username
    tell_that_access_ended(user.id)  # it did not, but what is remembered of it carries the old name
    return user


def change_own_password(actor: Actor, wish: PasswordChange) -> User:
    """Change the asker's own password; all other logins end."""
    authorize(actor, Can.MANAGE_SELF)
    user = queries.me(actor)
    if not verify_password(wish.current_password, user.password_hash):
        raise Invalid({"current_password": "This is not your present password."})
    user.password_hash = hash_good(wish.password, user.username, user.email)
    end_other_logins(actor)
    return user


# --- a new installation -----------------------------------------------------------------------------------------------


def ensure_organization() -> Organization:
    """The organization that everything of a single laboratory belongs to."""
    return queries.first_organization() or add_organization("Laboratory")


def add_organization(name: str) -> Organization:
    """Make an organization; it has no members yet."""
    organization = Organization(public_id=new_id("org"), name=name, created_on=clock.now())
    db.session.add(organization)
    db.session.flush()
    return organization


def offer_claim() -> str:
    """Make a new one-time claim code (an earlier one stops working) and return it."""
    db.session.execute(delete(Claim))
    code = new_code(16)
    db.session.add(Claim(code_hash=fingerprint(code)))
    return code


def claim(wish: ClaimIn) -> Membership:
    """Make the first administrator with the one-time code."""
    row = queries.claim_row(wish.code.strip().upper())
    if row is None or queries.is_claimed():
        raise Invalid({"code": "This code is not valid (any more). Restart WebMACS to see a new one."})
    refuse_guessable(wish.password, wish.username, wish.email)
    db.session.delete(row)
    return create_first_admin(UserIn(email=wish.email, username=wish.username, password=wish.password))


def create_first_admin(new: UserIn) -> Membership:
    """Make the first administrator of an installation that nobody owns yet.

    The password is not judged: it may come from the environment, and a server that does not start helps nobody.
    """
    if queries.is_claimed():
        raise Conflict("This installation already has an administrator.")
    member = add_user(ensure_organization().id, new.email, new.username, None, Role.ADMIN)
    member.user.password_hash = hash_password(new.password)
    member.user.is_installation_admin = True
    db.session.flush()
    return member


def service_account(organization_id: int, username: str) -> User:
    """A service account of the operator role (made when missing) for a process of our own; it has no password."""
    user = queries.service_user(organization_id, username)
    if user is None:
        user = User(
            public_id=new_id("usr"),
            email=f"{username}@service.invalid",
            username=username,
            is_service=True,
            registered_on=clock.now(),
        )
        db.session.add(user)
        add_member(user, organization_id, Role.OPERATOR)
    return user


def forget_expired() -> None:
    """Delete logins that ended more than a week ago."""
    db.session.execute(delete(Login).where(Login.expires_on < clock.now() - timedelta(days=7)))
