"""Every change to the log book."""

from sqlalchemy import update

from webmacs.core import clock
from webmacs.core.db import db
from webmacs.core.identity import Actor
from webmacs.core.ids import new_id
from webmacs.core.permissions import Can, authorize
from webmacs.features.logs import queries
from webmacs.features.logs.models import LogEntry
from webmacs.features.logs.schemas import LogIn, LogPatch, LogStatus, LogType


def write(actor: Actor, new: LogIn) -> LogEntry:
    """Write an entry in the actor's name."""
    authorize(actor, Can.WRITE_LOGS)
    return note(actor.organization_id, new.content, new.logging_type, actor.user_id)


def note(
    organization_id: int, content: str, logging_type: LogType = LogType.INFO, user_id: int | None = None
) -> LogEntry:
    """Write an entry that follows from something else; a too long one is cut, never lost."""
    entry = LogEntry(
        public_id=new_id("log"),
        organization_id=organization_id,
        content=content if len(content) <= 500 else content[:499] + "…",
        logging_type=logging_type,
        status_type=LogStatus.UNREAD,
        created_on=clock.now(),
        user_id=user_id,
    )
    db.session.add(entry)
    db.session.flush()
    return entry


def change(actor: Actor, public_id: str, patch: LogPatch) -> LogEntry:
    """Tick an entry off, or correct it."""
    authorize(actor, Can.WRITE_LOGS)
    entry = queries.get(actor, public_id)
    for field, value in patch.changes().items():
        setattr(entry, field, value)
    return entry


def mark_all_read(actor: Actor) -> None:
    """Tick off everything that is unread."""
    authorize(actor, Can.WRITE_LOGS)
    unread = update(LogEntry).where(
        LogEntry.organization_id == actor.organization_id, LogEntry.status_type == LogStatus.UNREAD
    )
    db.session.execute(unread.values(status_type=LogStatus.READ))
