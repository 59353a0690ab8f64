"""Reads of requests for a new password."""

from datetime import timedelta

from sqlalchemy import Select, func, select

from webmacs.core import clock
from webmacs.core.db import db
from webmacs.features.accounts import queries as users
from webmacs.features.accounts.models import User
from webmacs.features.resets.models import Reset
from webmacs.gateways.signing import fingerprint


def _open() -> Select[Reset]:
    return select(Reset).where(Reset.ended_on.is_(None), Reset.expires_on > clock.now())


def by_id(public_id: str) -> Reset | None:
    """An open request, for the job that writes its mail."""
    return db.session.scalar(_open().where(Reset.public_id == public_id))


def by_code(code: str) -> Reset | None:
    """The open request that this code fits; nobody else can use it at the same moment."""
    mine = _open().where(Reset.code_hash == fingerprint(code), Reset.user_id.is_not(None))
    return db.session.scalar(mine.with_for_update().execution_options(populate_existing=True))


def whose(reset: Reset) -> User | None:
    """The person whose password a request is about, None when nobody may have a new one this way.

    Who is disabled must not come in, and who has no password signs in elsewhere.
    """
    user = users.by_email(reset.email) if reset.user_id is None else db.session.get(User, reset.user_id)
    if user is None or user.is_service or user.disabled_on is not None or user.password_hash is None:
        return None
    return user


def count_given(user_id: int, span: timedelta) -> int:
    """How many links somebody was given within the span."""
    given = Reset.user_id == user_id, Reset.code_hash.is_not(None), Reset.created_on > clock.now() - span
    return db.session.scalar(select(func.count()).where(*given)) or 0
