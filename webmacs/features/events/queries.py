"""Reads of channel definitions."""

from collections.abc import Collection, Sequence

from sqlalchemy import Select, exists, select

from webmacs.core.db import db
from webmacs.core.errors import NotFound
from webmacs.core.identity import Actor
from webmacs.core.paging import Page, paginate
from webmacs.core.permissions import Can, authorize
from webmacs.features.events.models import Event
from webmacs.features.events.schemas import OUTPUTS, EventFilter


def visible(actor: Actor) -> Select[Event]:
    """The channels of the actor's organization; the one place that filters them. A token may be limited to some."""
    mine = select(Event).where(Event.organization_id == actor.organization_id)
    return mine if actor.events is None else mine.where(Event.public_id.in_(actor.events))


def find(actor: Actor, query: EventFilter) -> Page[Event]:
    """Channels in the order of their creation."""
    authorize(actor, Can.READ)
    statement = visible(actor)
    if query.type is not None:
        statement = statement.where(Event.type == query.type)
    if query.q:
        statement = statement.where(Event.name.icontains(query.q, autoescape=True))
    return paginate(statement.order_by(Event.id), query)


def everything(actor: Actor) -> Sequence[Event]:
    """All channels, in the order of their creation."""
    authorize(actor, Can.READ)
    return db.session.scalars(visible(actor).order_by(Event.id)).all()


def get(actor: Actor, public_id: str, can: Can = Can.READ) -> Event:
    """One channel; `can` is what it is needed for."""
    authorize(actor, can)
    event = db.session.scalar(visible(actor).where(Event.public_id == public_id))
    if event is None:
        raise NotFound("Event", public_id)
    return event


def by_public_ids(actor: Actor, public_ids: Collection[str], can: Can = Can.READ) -> dict[str, Event]:
    """The channels among these public ids that exist, public id → channel; `can` is what they are needed for."""
    authorize(actor, can)
    if not public_ids:
        return {}
    rows = db.session.scalars(visible(actor).where(Event.public_id.in_(set(public_ids))))
    return {event.public_id: event for event in rows}


def directory() -> dict[str, tuple[int, int, bool, bool]]:
    """Every channel of the installation: public id → (id, organization id, is_accepting, is an output)."""
    shown = (Event.public_id, Event.id, Event.organization_id, Event.is_accepting, Event.type)
    rows = db.session.execute(select(*shown))
    return {row[0]: (row[1], row[2], row[3], row[4] in OUTPUTS) for row in rows}


def by_name(actor: Actor, name: str) -> Event | None:
    """The channel of this name."""
    return db.session.scalar(visible(actor).where(Event.name == name))


def name_is_taken(actor: Actor, name: str, *, besides: int | None = None) -> bool:
    """Whether another channel has this name."""
    clause = select(Event.id).where(
        Event.organization_id == actor.organization_id, Event.name == name, Event.id != (besides or 0)
    )
    return bool(db.session.scalar(select(exists(clause))))
