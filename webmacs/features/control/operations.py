"""Every write to an output."""

from webmacs.core.db import note
from webmacs.core.errors import Conflict, Invalid
from webmacs.core.identity import Actor
from webmacs.core.permissions import Can, authorize
from webmacs.core.trail import Change
from webmacs.features.control.schemas import SetPoint
from webmacs.features.datapoints import operations as datapoints
from webmacs.features.datapoints.admit import Reading
from webmacs.features.datapoints.store import Row
from webmacs.features.events import queries as events
from webmacs.features.events.schemas import OUTPUTS, EventType


def set_output(actor: Actor, event_public_id: str, wish: SetPoint) -> Row:
    """Give an output a new set-point: a datapoint that the agent reads and writes to the machine."""
    authorize(actor, Can.CONTROL)
    event = events.get(actor, event_public_id, Can.CONTROL)
    if EventType(event.type) not in OUTPUTS:
        raise Conflict(f"'{event.name}' is a sensor; it cannot be set.")
    if not event.min_value <= wish.value <= event.max_value:
        limits = f"{event.min_value:g} and {event.max_value:g} {event.unit}"
        raise Invalid({"value": f"The value must lie between {limits}."})
    known = {"organization_id": event.organization_id, "public_id": event.public_id, "name": event.name}
    note(Change(None, "set", known, {}, {"value": wish.value}, "output"))
    return datapoints.record_one(actor, Reading(event.public_id, wish.value), Can.CONTROL)
