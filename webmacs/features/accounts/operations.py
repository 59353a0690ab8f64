"""Every change to users, logins and tokens."""

import secrets
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import delete, select, update

from webmacs.core import clock
from webmacs.core.db import db, emit
from webmacs.core.errors import Conflict, Forbidden, Invalid, Unauthenticated
from webmacs.core.identity import Actor, Recognised, Role
from webmacs.core.ids import ALPHABET, new_id
from webmacs.core.permissions import Access, Can, authorize
from webmacs.features.accounts import queries
from webmacs.features.accounts.facts import AccessEnded, UserSignedIn
from webmacs.features.accounts.models import ApiToken, Claim, Login, Organization, User
from webmacs.features.accounts.schemas import ClaimIn, LoginIn, PasswordChange, TokenIn, UserIn, UserPatch
from webmacs.gateways.signing import fingerprint, hash_password, is_outdated, signer, verify_password

NOTE_USE_EVERY = timedelta(minutes=1)


# --- signing in and out -----------------------------------------------------------------------------------------------


def sign_in(attempt: LoginIn, via: Literal["browser", "jwt"], device: str, lifetime: timedelta) -> Login:
    """Check the password and open a login. One sentence for every failure, and the same time for it."""
    user = queries.by_email(attempt.email)
    if not verify_password(attempt.password, user.password_hash if user else None) or user is None:
        raise Unauthenticated("Invalid email or password.")
    if user.password_hash is not None and is_outdated(user.password_hash):
        user.password_hash = hash_password(attempt.password)
    return _open_login(user, via, device, lifetime)


def _open_login(user: User, via: Literal["browser", "jwt"], device: str, lifetime: timedelta) -> Login:
    now = clock.now()
    login = Login(
        public_id=new_id("ses"),
        user=user,
        via=via,
        device=device[:255].replace("\x00", ""),
        created_on=now,
        last_used_at=now,
        expires_on=now + lifetime,
    )
    db.session.add(login)
    db.session.flush()
    emit(UserSignedIn(user.organization_id, user.id, user.username))
    return login


def access_token(login: Login) -> str:
    """The JWT of a login: `jti` is the login's id, so that it can be revoked alone."""
    return signer.sign(
        {
            "sub": login.user.public_id,
            "jti": login.public_id,
            "iat": int(login.created_on.timestamp()),
            "exp": int(login.expires_on.timestamp()),
            "role": login.user.role,
        }
    )


def sign_out(actor: Actor) -> None:
    """End the login in use. An API token is not a login: delete it instead."""
    authorize(actor, Access.SIGNED_IN)
    if actor.via == "token":
        raise Conflict("An API token cannot be logged out; delete it under API tokens.")
    _revoke(Login.public_id == actor.session_id)
    emit(AccessEnded(actor.organization_id, actor.user_id or 0))


def end_login(actor: Actor, public_id: str) -> None:
    """End one of the asker's own logins, on whatever device."""
    authorize(actor, Access.SIGNED_IN)
    _revoke(Login.id == queries.login(actor, public_id).id)
    emit(AccessEnded(actor.organization_id, actor.user_id or 0))


def end_other_logins(actor: Actor) -> None:
    """End all of the asker's logins but the one in use."""
    authorize(actor, Access.SIGNED_IN)
    _revoke(Login.user_id == actor.user_id, Login.public_id != actor.session_id)
    emit(AccessEnded(actor.organization_id, actor.user_id or 0))


def _revoke(*which: object) -> None:
    db.session.execute(update(Login).where(Login.revoked_on.is_(None), *which).values(revoked_on=clock.now()))  # type: ignore[arg-type]


# --- recognising ------------------------------------------------------------------------------------------------------


def recognise_bearer(credential: str) -> Recognised:
    """Who a bearer credential stands for. Raises `Unauthenticated`."""
    if credential.startswith("wm_"):
        actor, token = queries.owner_of_token(credential)
        return Recognised(actor, token.expires_at, _is_due(token))
    actor, login = queries.login_of_jwt(credential)
    return Recognised(actor, login.expires_on, _is_due(login))


def recognise_browser(session_id: str) -> Recognised | None:
    """Who a browser's session stands for, None when it ended."""
    found = queries.login_of_browser(session_id)
    return None if found is None else Recognised(found[0], found[1].expires_on, _is_due(found[1]))


def _is_due(row: ApiToken | Login) -> bool:
    return row.last_used_at is None or clock.now() - row.last_used_at >= NOTE_USE_EVERY


def note_use(actor: Actor) -> None:
    """Write down that the actor's credential was used."""
    table = ApiToken if actor.via == "token" else Login
    db.session.execute(update(table).where(table.public_id == actor.session_id).values(last_used_at=clock.now()))


# --- users ------------------------------------------------------------------------------------------------------------


def create(actor: Actor, new: UserIn) -> User:
    """Create a user in the actor's organization."""
    authorize(actor, Can.MANAGE_USERS)
    return _add_user(actor.organization_id, new)


def _add_user(organization_id: int, new: UserIn) -> User:
    _refuse_duplicates(new.email, new.username)
    user = User(
        public_id=new_id("usr"),
        organization_id=organization_id,
        email=new.email,
        username=new.username,
        password_hash=hash_password(new.password),
        role=new.role,
        registered_on=clock.now(),
    )
    db.session.add(user)
    db.session.flush()
    return user


def change(actor: Actor, public_id: str, patch: UserPatch) -> User:
    """Change a user. A new password or role ends all of the user's logins."""
    authorize(actor, Can.MANAGE_USERS)
    user = queries.get(actor, public_id)
    changes = {field: value for field, value in patch.changes().items() if value is not None}
    _refuse_duplicates(changes.get("email"), changes.get("username"), besides=user.id)
    if "role" in changes and changes["role"] != user.role and user.role == Role.ADMIN:
        _keep_an_admin(actor)
    ends_access = "password" in changes or changes.get("role", user.role) != user.role
    if "password" in changes:
        user.password_hash = hash_password(changes.pop("password"))
    for field, value in changes.items():
        setattr(user, field, value)
    if ends_access:
        _revoke(Login.user_id == user.id, Login.public_id != (actor.session_id or ""))
        emit(AccessEnded(user.organization_id, user.id))
    return user


def remove(actor: Actor, public_id: str) -> None:
    """Delete a user. What the user made stays; only the ownership is cleared."""
    authorize(actor, Can.MANAGE_USERS)
    user = queries.get(actor, public_id)
    if user.id == actor.user_id:
        raise Conflict("You cannot delete your own account.")
    if user.role == Role.ADMIN:
        _keep_an_admin(actor)
    emit(AccessEnded(user.organization_id, user.id))
    db.session.execute(delete(User).where(User.id == user.id))


def _keep_an_admin(actor: Actor) -> None:
    # The rows are locked so that two administrators cannot remove each other at the same moment.
    db.session.execute(select(User.id).where(User.organization_id == actor.organization_id).with_for_update()).all()
    if queries.count_admins(actor.organization_id) <= 1:
        raise Conflict("This is the last administrator; appoint another one first.")


def _refuse_duplicates(email: str | None, username: str | None, besides: int | None = None) -> None:
    if email is not None and queries.taken(User.email, email, besides=besides):
        raise Conflict("User already exists.")
    if username is not None and queries.taken(User.username, username, besides=besides):
        raise Conflict("User already exists: this username is taken.")


def rename_self(actor: Actor, username: str) -> User:
    """Change the asker's own name."""
    user = queries.me(actor)
    _refuse_duplicates(None, username, besides=user.id)
    user.username = username
    return user


def change_own_password(actor: Actor, wish: PasswordChange) -> User:
    """Change the asker's own password; all other logins end."""
    user = queries.me(actor)
    if not verify_password(wish.current_password, user.password_hash):
        raise Invalid({"current_password": "This is not your present password."})
    user.password_hash = hash_password(wish.password)
    end_other_logins(actor)
    return user


# --- API tokens -------------------------------------------------------------------------------------------------------


def create_token(actor: Actor, new: TokenIn) -> tuple[ApiToken, str]:
    """Create an API token for the asker; the secret is returned here and never again."""
    user = queries.me(actor)
    return _add_token(user, new.name, new.expires_at)


def _add_token(user: User, name: str, expires_at: datetime | None) -> tuple[ApiToken, str]:
    secret = "wm_" + secrets.token_urlsafe(48)
    row = ApiToken(
        public_id=new_id("tok"),
        user=user,
        name=name,
        token_hash=fingerprint(secret),
        created_at=clock.now(),
        expires_at=expires_at,
    )
    db.session.add(row)
    db.session.flush()
    return row, secret


def delete_token(actor: Actor, public_id: str) -> None:
    """Delete an API token: one's own, or any of the organization for an administrator."""
    row = queries.token(actor, public_id)
    if row.user_id != actor.user_id and actor.role is not Role.ADMIN:
        raise Forbidden("You can delete only your own API tokens.")
    db.session.execute(delete(ApiToken).where(ApiToken.id == row.id))
    emit(AccessEnded(actor.organization_id, row.user_id))


# --- a new installation -----------------------------------------------------------------------------------------------


def ensure_organization() -> Organization:
    """The organization that everything of a single laboratory belongs to."""
    organization = queries.first_organization()
    if organization is None:
        organization = Organization(public_id=new_id("org"), name="Laboratory", created_on=clock.now())
        db.session.add(organization)
        db.session.flush()
    return organization


def offer_claim() -> str:
    """Make a new one-time claim code (an earlier one stops working) and return it."""
    db.session.execute(delete(Claim))
    letters = [secrets.choice(ALPHABET) for _ in range(16)]
    code = "-".join("".join(letters[i : i + 4]) for i in range(0, 16, 4)).upper()
    db.session.add(Claim(code_hash=fingerprint(code)))
    return code


def claim(wish: ClaimIn) -> User:
    """Make the first administrator with the one-time code."""
    row = queries.claim_row(wish.code.strip().upper())
    if row is None or queries.is_claimed():
        raise Invalid({"code": "This code is not valid (any more). Restart WebMACS to see a new one."})
    db.session.delete(row)
    return create_first_admin(UserIn(email=wish.email, username=wish.username, password=wish.password))


def create_first_admin(new: UserIn) -> User:
    """Make the first administrator of an installation that nobody owns yet."""
    if queries.is_claimed():
        raise Conflict("This installation already has an administrator.")
    return _add_user(ensure_organization().id, new.model_copy(update={"role": Role.ADMIN}))


def ensure_service_token(organization_id: int, username: str, present: str | None) -> str:
    """An API token of a service account (made when missing) for a process of our own.

    The `present` one is kept while it is valid; a new one ends the earlier ones.
    """
    if present is not None and queries.is_token_of(present, username):
        return present
    user = queries.service_user(organization_id, username)
    if user is None:
        user = User(
            public_id=new_id("usr"),
            organization_id=organization_id,
            email=f"{username}@service.invalid",
            username=username,
            role=Role.OPERATOR,
            is_service=True,
            registered_on=clock.now(),
        )
        db.session.add(user)
        db.session.flush()
    db.session.execute(delete(ApiToken).where(ApiToken.user_id == user.id))
    return _add_token(user, username, None)[1]


def forget_expired() -> None:
    """Delete logins that ended more than a week ago."""
    db.session.execute(delete(Login).where(Login.expires_on < clock.now() - timedelta(days=7)))
