"""Every change to requests for a new password."""

from datetime import timedelta

from sqlalchemy import delete, update

from webmacs.core import clock
from webmacs.core.db import affected, db, emit
from webmacs.core.errors import Conflict, Forbidden, Invalid
from webmacs.core.identity import Actor
from webmacs.core.ids import new_code, new_id
from webmacs.core.permissions import Can, authorize
from webmacs.features.accounts import operations as accounts
from webmacs.features.accounts import queries as users
from webmacs.features.accounts.models import User
from webmacs.features.mails import operations as mails
from webmacs.features.resets import queries
from webmacs.features.resets.facts import PasswordReset
from webmacs.features.resets.models import Reset
from webmacs.features.resets.schemas import ResetIn
from webmacs.gateways.signing import fingerprint

LASTS = timedelta(hours=1)
KEPT = timedelta(days=7)
LETTERS = 52  # of five bits each: as much chance as in 32 bytes
MOST_MAILS = 5  # that one person gets in an hour, whoever asks for them
MAIL, NOTICE = "reset", "password-changed"
NOT_VALID = "This link is not valid (any more): each works once and for an hour, and only the newest. Ask for another."


def ask(email: str) -> Reset:
    """Somebody forgot the password of an address. Nothing here depends on whose it is, if anybody's."""
    made = _add(email)
    mails.queue(MAIL, made.public_id)
    return made


def offer(actor: Actor, public_id: str, *, by_mail: bool) -> str | None:
    """Let a user of the organization choose a new password. Returns the code, None when it goes by mail."""
    authorize(actor, Can.MANAGE_USERS)
    member = users.get(actor, public_id)
    reason = users.why_not_ours(actor, member)
    if reason:
        raise Forbidden(reason)
    made = _add(member.email, member.user_id)
    if queries.whose(made) is None:
        raise Conflict(f"{member.username} is disabled, or signs in without a password.")
    if by_mail:
        mails.queue(MAIL, made.public_id)
        return None
    return _renew(made, member.user_id)


def _add(email: str, user_id: int | None = None) -> Reset:
    now = clock.now()
    made = Reset(public_id=new_id("rst"), email=email, user_id=user_id, created_on=now, expires_on=now + LASTS)
    db.session.add(made)
    db.session.flush()
    return made


def _renew(reset: Reset, user_id: int) -> str:
    """A new code; the person's earlier ones stop working."""
    theirs = Reset.user_id == user_id, Reset.code_hash.is_not(None), Reset.id != reset.id, Reset.ended_on.is_(None)
    affected(update(Reset).where(*theirs).values(ended_on=clock.now()))
    code = new_code(LETTERS)
    reset.user_id, reset.code_hash = user_id, fingerprint(code)
    reset.expires_on = clock.now() + LASTS
    db.session.flush()
    return code


def write_code(public_id: str) -> tuple[User, str] | None:
    """A new code for the mail that is being written. None: nobody is to get one."""
    reset = queries.by_id(public_id)
    user = None if reset is None else queries.whose(reset)
    if reset is None or user is None or queries.count_given(user.id, LASTS) >= MOST_MAILS:
        return None
    return user, _renew(reset, user.id)


def use(wish: ResetIn) -> User:
    """Give somebody the password that they chose; all of their logins end, and a mail tells them."""
    reset = queries.by_code(wish.code)
    user = None if reset is None else queries.whose(reset)
    if reset is None or user is None:
        raise Invalid({"code": NOT_VALID})
    reset.ended_on = clock.now()
    accounts.set_password(user, wish.password)
    mails.queue(NOTICE, user.public_id)
    for member in users.memberships(user.id):
        emit(PasswordReset(member.organization_id, user.id, user.username))
    return user


def forget_old() -> None:
    """Delete requests that ended long ago."""
    db.session.execute(delete(Reset).where(Reset.expires_on < clock.now() - KEPT))
