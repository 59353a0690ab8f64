"""Reads of the log book."""

from sqlalchemy import Select, func, select

from webmacs.core.db import db
from webmacs.core.errors import NotFound
from webmacs.core.identity import Actor
from webmacs.core.paging import Page, paginate
from webmacs.core.permissions import Can, authorize
from webmacs.features.logs.models import LogEntry
from webmacs.features.logs.schemas import LogFilter, LogStatus


def _visible(actor: Actor) -> Select[LogEntry]:
    return select(LogEntry).where(LogEntry.organization_id == actor.organization_id)


def find(actor: Actor, query: LogFilter) -> Page[LogEntry]:
    """Entries, newest first."""
    authorize(actor, Can.READ)
    statement = _visible(actor)
    if query.logging_type is not None:
        statement = statement.where(LogEntry.logging_type == query.logging_type)
    if query.status_type is not None:
        statement = statement.where(LogEntry.status_type == query.status_type)
    if query.q:
        statement = statement.where(LogEntry.content.icontains(query.q, autoescape=True))
    return paginate(statement.order_by(LogEntry.created_on.desc(), LogEntry.id.desc()), query)


def get(actor: Actor, public_id: str) -> LogEntry:
    """One entry."""
    authorize(actor, Can.READ)
    entry = db.session.scalar(_visible(actor).where(LogEntry.public_id == public_id))
    if entry is None:
        raise NotFound("LogEntry", public_id)
    return entry


def count_unread(actor: Actor) -> int:
    """How many entries nobody has ticked off."""
    unread = _visible(actor).where(LogEntry.status_type == LogStatus.UNREAD)
    return db.session.scalar(select(func.count()).select_from(unread.subquery())) or 0
