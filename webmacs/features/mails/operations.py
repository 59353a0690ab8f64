"""Every change to mails. They follow from what others do, so nobody is asked who acts."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from webmacs.core import clock
from webmacs.core.db import affected, db, emit
from webmacs.core.ids import new_id
from webmacs.features.mails import decide, queries
from webmacs.features.mails.facts import MailQueued
from webmacs.features.mails.models import Mail

KEPT = timedelta(days=30)  # after its end, for the list that shows how a mail fared
EVERYWHERE = 0  # a mail belongs to the installation


def queue(kind: str, about: str) -> Mail:
    """Let a mail be sent once the transaction is committed; `kind` names its writer in factory.py."""
    now = clock.now()
    mail = Mail(public_id=new_id("mai"), kind=kind, about=about, state="waiting", created_on=now, due_on=now)
    db.session.add(mail)
    db.session.flush()
    emit(MailQueued(EVERYWHERE, mail.public_id))
    return mail


@dataclass(frozen=True)
class Task:
    """A mail that a job has claimed, in plain values."""

    token: str
    kind: str
    about: str
    attempts: int
    created_on: datetime


def claim(public_id: str) -> Task | None:
    """Take a mail to send it; None when it is not free (any more)."""
    token = new_id("run")
    taken = {"state": "sending", "claimed_by": token, "attempts": Mail.attempts + 1, "due_on": clock.now()}
    if not affected(update(Mail).where(Mail.public_id == public_id, queries.is_free()).values(taken)):
        return None
    mail = db.session.scalars(select(Mail).where(Mail.claimed_by == token)).one()
    return Task(token, mail.kind, mail.about, mail.attempts, mail.created_on)


def settle(task: Task, state: str, error: str | None = None) -> None:
    """End a mail: sent, dropped (nobody is to get it any more) or failed."""
    _write(task, state=state, error=error, claimed_by=None, finished_on=clock.now())


def postpone(task: Task, error: str) -> None:
    """Try again later, or give up when that would be too late."""
    due_on = decide.next_try(task.created_on, clock.now(), task.attempts)
    if due_on is None:
        settle(task, "failed", error)
    else:
        _write(task, state="waiting", error=error, claimed_by=None, due_on=due_on)


def _write(task: Task, **values: object) -> None:
    affected(update(Mail).where(Mail.claimed_by == task.token).values(**values))


def forget_old() -> None:
    """Delete mails that ended long ago."""
    db.session.execute(delete(Mail).where(Mail.finished_on < clock.now() - KEPT))
