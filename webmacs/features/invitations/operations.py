"""Every change to invitations."""

from datetime import timedelta

from sqlalchemy import delete, update

from webmacs.core import clock
from webmacs.core.db import affected, db, emit
from webmacs.core.errors import Conflict, Invalid
from webmacs.core.identity import Actor, Role
from webmacs.core.ids import new_code, new_id
from webmacs.core.permissions import Can, authorize
from webmacs.core.tenancy import as_owner
from webmacs.features.accounts import operations as accounts
from webmacs.features.accounts import queries as users
from webmacs.features.accounts.models import Membership, User
from webmacs.features.invitations import queries
from webmacs.features.invitations.facts import UserInvited, UserJoined
from webmacs.features.invitations.models import Invitation
from webmacs.features.invitations.schemas import InvitationIn, JoinIn
from webmacs.features.mails import operations as mails
from webmacs.gateways.signing import fingerprint

LASTS = timedelta(days=7)
KEPT = timedelta(days=30)  # after its end
LETTERS = 52  # of five bits each: as much chance as in 32 bytes
MAIL = "invitation"
NOT_VALID = "This invitation is not valid (any more). Ask whoever invited you for a new one."


def invite(actor: Actor, wish: InvitationIn, *, by_mail: bool) -> tuple[Invitation, str | None]:
    """Invite an address; an earlier invitation of it ends. Returns the code, None when it goes by mail."""
    authorize(actor, Can.MANAGE_USERS)
    known = users.by_email(wish.email)
    if known is not None and users.is_member(known.id, actor.organization_id):
        raise Conflict("Somebody with this address is a member already.")
    now = clock.now()
    same = Invitation.organization_id == actor.organization_id, Invitation.email == wish.email
    affected(update(Invitation).where(*same, Invitation.ended_on.is_(None)).values(ended_on=now))
    made = Invitation(
        public_id=new_id("inv"),
        organization_id=actor.organization_id,
        email=wish.email,
        role=wish.role,
        user_id=actor.user_id,
        created_on=now,
        expires_on=now + LASTS,
    )
    db.session.add(made)
    code = None if by_mail else _renew(made)
    db.session.flush()
    if by_mail:
        mails.queue(MAIL, made.public_id)
    emit(UserInvited(actor.organization_id, actor.user_id, actor.username, wish.email, wish.role))
    return made, code


def _renew(invitation: Invitation) -> str:
    code = new_code(LETTERS)
    invitation.code_hash = fingerprint(code)
    return code


def write_code(public_id: str) -> tuple[Invitation, str] | None:
    """A new code for the mail that is being written; one that was sent before stops working. None: it is over."""
    found = queries.by_id(public_id)
    return None if found is None else (found, _renew(found))


def revoke(actor: Actor, public_id: str) -> None:
    """End an invitation before it was accepted."""
    authorize(actor, Can.MANAGE_USERS)
    queries.get(actor, public_id).ended_on = clock.now()


def join(code: str, wish: JoinIn) -> Membership:
    """Make a new person who accepts an invitation."""
    invitation = _accepted(code)
    if users.by_email(invitation.email) is not None:
        raise Invalid({"": "There is an account with your address already: sign in, then accept the invitation."})
    where = invitation.organization_id
    member = accounts.add_user(where, invitation.email, wish.username, wish.password, Role(invitation.role))
    return _joined(member)


@as_owner()  # from one organization into another
def accept(actor: Actor, code: str) -> Membership:
    """Make the asker a member of one more organization; the login in use goes on there."""
    authorize(actor, Can.MANAGE_SELF)
    if actor.via == "token":
        raise Conflict("An API token belongs to one organization; sign in to accept an invitation.")
    invitation = _accepted(code)
    user: User = users.me(actor)
    if users.is_member(user.id, invitation.organization_id):
        raise Conflict("You are a member of this organization already.")
    member = accounts.add_member(user, invitation.organization_id, Role(invitation.role))
    accounts.move_login(actor, invitation.organization_id)
    return _joined(member)


def _accepted(code: str) -> Invitation:
    invitation = queries.by_code(code, lock=True)
    if invitation is None:
        raise Invalid({"code": NOT_VALID})
    invitation.ended_on = clock.now()
    return invitation


def _joined(member: Membership) -> Membership:
    emit(UserJoined(member.organization_id, member.user_id, member.username, member.role))
    return member


def forget_old() -> None:
    """Delete invitations that ended long ago."""
    db.session.execute(delete(Invitation).where(Invitation.expires_on < clock.now() - KEPT))
