"""/api/v1/events."""

from webmacs.api.endpoint import endpoint
from webmacs.core.identity import Actor
from webmacs.core.paging import PageOut
from webmacs.core.permissions import Can
from webmacs.core.schemas import Written
from webmacs.features.events import operations, queries
from webmacs.features.events.blueprint import bp
from webmacs.features.events.schemas import EventFilter, EventIn, EventOut, EventPatch


@bp.get("/api/v1/events")
@endpoint(
    "List events", can=Can.READ, query=EventFilter, out=PageOut[EventOut], lasts_until="channels", by_channel=True
)
def list_json(actor: Actor, query: EventFilter) -> object:
    """Channel definitions in the order of their creation."""
    return queries.find(actor, query)


@bp.get("/api/v1/events/<public_id>")
@endpoint("Get an event", can=Can.READ, out=EventOut, errors=(404,), by_channel=True)
def get_json(actor: Actor, public_id: str) -> object:
    """One channel definition."""
    return queries.get(actor, public_id)


@bp.post("/api/v1/events")
@endpoint("Create an event", can=Can.MANAGE_CHANNELS, body=EventIn, out=Written, status=201, errors=(409,))
def create_json(actor: Actor, body: EventIn) -> object:
    """Define a channel. Names are unique."""
    event = operations.create(actor, body)
    return Written(message="Event successfully created.", public_id=event.public_id)


@bp.put("/api/v1/events/<public_id>")
@endpoint("Update an event", can=Can.MANAGE_CHANNELS, body=EventPatch, out=Written, errors=(404, 409))
def change_json(actor: Actor, public_id: str, body: EventPatch) -> object:
    """Only the fields that are sent change."""
    operations.change(actor, public_id, body)
    return Written(message="Event successfully updated.", public_id=public_id)


@bp.delete("/api/v1/events/<public_id>")
@endpoint("Delete an event", can=Can.MANAGE_CHANNELS, out=Written, errors=(404, 409))
def remove_json(actor: Actor, public_id: str) -> object:
    """The channel's datapoints are deleted with it."""
    operations.remove(actor, public_id)
    return Written(message="Event successfully deleted.", public_id=public_id)
