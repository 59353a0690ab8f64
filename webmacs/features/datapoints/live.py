"""What the live view asks for when it cannot listen: the newest values by polling."""

from datetime import datetime

from webmacs.api.endpoint import endpoint
from webmacs.core.identity import Actor
from webmacs.core.permissions import Can
from webmacs.core.schemas import Schema
from webmacs.features.datapoints import queries
from webmacs.features.datapoints.blueprint import bp


class LiveValue(Schema):
    """The newest value of a channel in the words of the live stream."""

    event: str
    value: float
    time: datetime


class LiveValues(Schema):
    """One message of the live stream."""

    values: list[LiveValue]


@bp.get("/live/latest")
@endpoint("Poll the live values", can=Can.READ, out=LiveValues)
def latest_values(actor: Actor) -> object:
    """The same message as the stream sends."""
    newest = queries.latest(actor)
    return LiveValues(values=[LiveValue(event=p.event_public_id, value=p.value, time=p.timestamp) for p in newest])
