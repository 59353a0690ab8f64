"""Every change to channel definitions."""

from sqlalchemy import delete, update

from webmacs.core.db import db, emit
from webmacs.core.errors import Conflict, Invalid
from webmacs.core.identity import Actor
from webmacs.core.ids import new_id
from webmacs.core.permissions import Can, authorize
from webmacs.features.events import queries
from webmacs.features.events.facts import EventDeleted, EventsChanged
from webmacs.features.events.models import Event
from webmacs.features.events.schemas import EventIn, EventPatch


def create(actor: Actor, new: EventIn) -> Event:
    """Define a channel."""
    authorize(actor, Can.MANAGE_CHANNELS)
    if queries.name_is_taken(actor, new.name):
        raise Conflict("Event already exists.")
    event = Event(
        public_id=new_id("evt"),
        organization_id=actor.organization_id,
        user_id=actor.user_id,
        name=new.name,
        type=new.type,
        unit=new.unit,
        min_value=new.min_value,
        max_value=new.max_value,
        is_accepting=True,
    )
    db.session.add(event)
    db.session.flush()
    emit(EventsChanged(actor.organization_id))
    return event


def change(actor: Actor, public_id: str, patch: EventPatch) -> Event:
    """Change a channel definition; values that were recorded stay as they are."""
    authorize(actor, Can.MANAGE_CHANNELS)
    event = queries.get(actor, public_id)
    changes = patch.changes()
    if "name" in changes and queries.name_is_taken(actor, changes["name"], besides=event.id):
        raise Conflict("Event already exists.")
    if changes.get("min_value", event.min_value) > changes.get("max_value", event.max_value):
        raise Invalid({"min_value": "min_value must not be greater than max_value."})
    for field, value in changes.items():
        setattr(event, field, value)
    db.session.flush()
    emit(EventsChanged(actor.organization_id))
    return event


def remove(actor: Actor, public_id: str) -> None:
    """Delete a channel with everything that was recorded for it."""
    authorize(actor, Can.MANAGE_CHANNELS)
    event = queries.get(actor, public_id)
    emit(EventDeleted(event.organization_id, event.id, event.public_id))
    db.session.execute(delete(Event).where(Event.id == event.id))
    emit(EventsChanged(event.organization_id))


def set_source(event_id: int, *, is_accepting: bool, interval_ms: int | None) -> None:
    """Tell a channel about its source: whether it may send, and how often it does (None: unknown)."""
    values = {"is_accepting": is_accepting, "interval_ms": interval_ms}
    changed = update(Event).where(Event.id == event_id).values(values).returning(Event.organization_id)
    for organization_id in db.session.scalars(changed):
        emit(EventsChanged(organization_id))
