"""Reads of mails."""

from collections.abc import Collection, Sequence

from sqlalchemy import and_, or_, select
from sqlalchemy.sql.elements import ColumnElement

from webmacs.core import clock
from webmacs.core.db import db
from webmacs.features.mails.decide import FIRST
from webmacs.features.mails.models import Mail

DEAD_AFTER = 10 * FIRST  # a job that began so long ago died: no conversation with a mail server lasts longer


def is_free() -> ColumnElement[bool]:
    """Whether a job may take a mail: it waits and is due, or its job died."""
    now = clock.now()
    waits = and_(Mail.state == "waiting", Mail.due_on <= now)
    return or_(waits, and_(Mail.state == "sending", Mail.due_on <= now - DEAD_AFTER))


def due() -> Sequence[str]:
    """The mails that nobody is at, oldest first."""
    return db.session.scalars(select(Mail.public_id).where(is_free()).order_by(Mail.id).limit(500)).all()


def latest_about(things: Collection[str]) -> dict[str, Mail]:
    """The newest mail about each of these public ids."""
    rows = db.session.scalars(select(Mail).where(Mail.about.in_(things)).order_by(Mail.id)) if things else ()
    return {mail.about: mail for mail in rows}
