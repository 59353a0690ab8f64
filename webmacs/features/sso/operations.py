"""Every change that single sign-on makes: who is let in, which identity is whose, which logins end."""

from datetime import timedelta
from typing import Literal

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import delete, select

from webmacs.core import clock
from webmacs.core.db import affected, db, emit
from webmacs.core.errors import Conflict, Forbidden, Invalid, Rejected, Unauthenticated
from webmacs.core.identity import Actor, Role, system
from webmacs.core.ids import new_id
from webmacs.core.permissions import Can, authorize
from webmacs.features.accounts import operations as accounts
from webmacs.features.accounts import queries as account_queries
from webmacs.features.accounts.models import Login, Membership, User
from webmacs.features.accounts.schemas import Email, UserPatch
from webmacs.features.factors.schemas import Way
from webmacs.features.sso import decide, queries
from webmacs.features.sso.facts import SignedInElsewhere
from webmacs.features.sso.models import Identity, PutAside, SsoLogin
from webmacs.features.sso.schemas import LinkIn, Ticket, Visitor
from webmacs.gateways.sealing import sealer
from webmacs.gateways.signing import verify_password

EMAIL: TypeAdapter[str] = TypeAdapter(Email)


def admit(visitor: Visitor) -> Identity:
    """Find, link or make the user behind a visitor. Raises `Forbidden` or `Rejected` with the documented sentence."""
    if visitor.email is None:
        raise Rejected("The identity provider did not send an email address.")
    identity = queries.by_subject(visitor.issuer, visitor.subject)
    if identity is None:
        identity = _link(_user_for(visitor, visitor.email), visitor)
    user = identity.user
    if user.disabled_on is not None:
        raise Forbidden("This account is disabled.")
    identity.provider_name = user.sso_provider = visitor.provider.provider_name
    _apply_role(user, visitor)
    organization_id = account_queries.where_last(user)
    if organization_id is None:
        raise Forbidden("This account belongs to no organization (any more).")
    emit(SignedInElsewhere(organization_id, user.id, user.username, visitor.provider.provider_name))
    return identity


def _user_for(visitor: Visitor, given: str) -> User:
    try:
        email = EMAIL.validate_python(given)
    except ValidationError:
        raise Rejected("The identity provider sent an email address that cannot be used.") from None
    known = account_queries.by_email(email)
    if known is None:
        return _new_user(visitor, email)
    if not visitor.is_verified:
        raise Forbidden("The identity provider says that this email address is not verified.")
    if _is_admin(known):
        raise Forbidden(
            "The account of an admin is not linked by itself. Sign in with your password and link it in your profile."
        )
    if queries.identities_of(known.id):
        raise Forbidden("This account is already linked to another identity. Sign in with that one.")
    return known


def _is_admin(user: User) -> bool:
    roles = {member.role for member in account_queries.memberships(user.id)}
    return user.is_installation_admin or Role.ADMIN in roles


def _new_user(visitor: Visitor, email: str) -> User:
    provider = visitor.provider
    if not provider.auto_create_users:
        raise Forbidden(
            "There is no account for you, and automatic user creation is switched off. Ask an administrator."
        )
    if not visitor.is_verified:
        raise Forbidden("The identity provider says that this email address is not verified.")
    if not account_queries.is_claimed():  # whoever came first would close the claim and leave nobody in charge
        raise Forbidden("This installation has no administrator yet; automatic user creation begins after that.")
    organization_id = queries.organization_for(provider)
    name = decide.username(visitor.name, email)
    if account_queries.taken(User.username, name):
        name = decide.another(name)
    role = decide.role(visitor.claims, provider.role_claim, provider.role_mapping, provider.default_role)
    return accounts.add_user(organization_id, email, name, None, role).user


def _link(user: User, visitor: Visitor) -> Identity:
    identity = Identity(
        public_id=new_id("idn"),
        user=user,
        issuer=visitor.issuer,
        subject=visitor.subject,
        provider_name=visitor.provider.provider_name,
        linked_on=clock.now(),
    )
    user.sso_provider = visitor.provider.provider_name
    db.session.add(identity)
    db.session.flush()
    return identity


def _apply_role(user: User, visitor: Visitor) -> None:
    """Where a mapping is configured, the provider says the role anew at every sign-in."""
    provider = visitor.provider
    if not provider.role_claim or not provider.role_mapping or user.is_installation_admin:
        return
    organization_id = queries.organization_for(provider)
    mine = (Membership.user_id == user.id, Membership.organization_id == organization_id)
    member = db.session.scalar(select(Membership).where(*mine))
    role = decide.role(visitor.claims, provider.role_claim, provider.role_mapping, provider.default_role)
    if member is None or member.role == role:
        return
    try:
        accounts.change(system(organization_id), user.public_id, UserPatch(role=role))
    except Conflict as refused:  # nobody would be left in charge
        raise Forbidden(f"Your role would change to {role}. {refused}") from None


def ticket(identity: Identity, visitor: Visitor) -> Ticket:
    """What the one-time code of a visitor stands for."""
    return Ticket(
        identity_id=identity.id,
        user_id=identity.user_id,
        provider=visitor.provider.key,
        sid=visitor.sid,
        id_token=visitor.id_token,
    )


def redeem(given: Ticket, via: Literal["browser", "jwt"], device: str, lifetime: timedelta) -> Login:
    """Open the login that a ticket is good for, unless the user may not come in any more."""
    identity = queries.by_id(given.identity_id)
    if identity is None or identity.user_id != given.user_id:
        raise Rejected("Invalid or expired code.")
    try:
        login = accounts.open_login(identity.user, via, device, lifetime, Way.SSO)
    except Unauthenticated:
        raise Rejected("Invalid or expired code.") from None
    sealed = sealer.seal(given.id_token, f"id token of {login.id}")
    db.session.add(
        SsoLogin(
            login_id=login.id, identity_id=identity.id, provider_key=given.provider, sid=given.sid, id_token=sealed
        )
    )
    db.session.flush()
    return login


# --- one's own account ------------------------------------------------------------------------------------------------


def confirm(actor: Actor, wish: LinkIn) -> LinkIn:
    """Make sure that it is really the asker who wants to link an identity."""
    authorize(actor, Can.MANAGE_SELF)
    _check_password(actor, wish.current_password)
    return wish


def _check_password(actor: Actor, password: str) -> User:
    user = account_queries.me(actor)
    if not verify_password(password, user.password_hash):
        raise Invalid({"current_password": "This is not your present password."})
    return user


def link(actor: Actor, visitor: Visitor) -> Identity:
    """Link an identity to the asker's own account; administrators, too, may do this."""
    authorize(actor, Can.MANAGE_SELF)
    known = queries.by_subject(visitor.issuer, visitor.subject)
    if known is not None and known.user_id != actor.user_id:
        raise Conflict("This identity is already linked to another account.")
    if known is not None:
        return known
    if any(one.issuer == visitor.issuer for one in queries.identities(actor)):
        raise Conflict("Your account is already linked to another identity of this provider; unlink that one first.")
    return _link(account_queries.me(actor), visitor)


def unlink(actor: Actor, public_id: str, password: str) -> User:
    """Part with an identity; the logins that it opened end. The password shows that there is another way in."""
    identity = queries.identity(actor, public_id)
    user = _check_password(actor, password)
    opened = [login_id for _, login_id in queries.login_ids(identity.issuer, identity.subject, None)]
    here = Login.public_id != (actor.session_id or "")
    db.session.delete(identity)
    db.session.flush()
    left = queries.identities(actor)
    user.sso_provider = left[-1].provider_name if left else None
    accounts.end_logins(user.id, Login.id.in_(opened), here)
    return user


def sign_out(actor: Actor) -> SsoLogin | None:
    """End the login in use; returns what is needed to end the session at the provider, too."""
    elsewhere = queries.login_elsewhere(actor)
    accounts.sign_out(actor)
    return elsewhere


def end(issuer: str, subject: str | None, sid: str | None) -> int:
    """End the logins that a provider says are over; returns how many there were."""
    opened = queries.login_ids(issuer, subject, sid)
    for user_id in sorted({user_id for user_id, _ in opened}):
        accounts.end_logins(user_id, Login.id.in_([login_id for owner, login_id in opened if owner == user_id]))
    return len(opened)


# --- for one use ------------------------------------------------------------------------------------------------------


def put_aside(key_hash: str, content: str, lifetime: timedelta) -> bool:
    """Keep something for one use; False when it was put there before."""
    if db.session.get(PutAside, key_hash) is not None:
        return False
    db.session.add(PutAside(key_hash=key_hash, content=content, expires_on=clock.now() + lifetime))
    db.session.flush()
    return True


def take_back(key_hash: str) -> str | None:
    """What was put aside, once; None when there is nothing, or no longer."""
    row = db.session.get(PutAside, key_hash)
    taken = row is not None and affected(delete(PutAside).where(PutAside.key_hash == key_hash)) == 1
    return row.content if row is not None and taken and row.expires_on > clock.now() else None


def forget_put_aside() -> None:
    """Delete what nobody took in time."""
    db.session.execute(delete(PutAside).where(PutAside.expires_on < clock.now()))
