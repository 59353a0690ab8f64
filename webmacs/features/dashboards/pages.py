"""The overview."""

from flask import Response

from webmacs.core.identity import Actor
from webmacs.core.permissions import Can
from webmacs.features.dashboards.blueprint import bp
from webmacs.features.datapoints import queries as datapoints
from webmacs.features.events import queries as events
from webmacs.features.events.schemas import EventType
from webmacs.features.experiments import queries as experiments
from webmacs.features.plugins import queries as plugins
from webmacs.web.pages import page, screen


@bp.get("/")
@screen(can=Can.READ)
def overview(actor: Actor) -> Response:
    """Everything live: sensors, actuators, ranges, the running experiments and the state of the sources."""
    channels = events.everything(actor)
    by_type = {kind: [event for event in channels if event.type == kind] for kind in EventType}
    return page(
        "dashboards/overview.html",
        channels=by_type,
        latest={point.event_public_id: point for point in datapoints.latest(actor)},
        running=experiments.running(actor),
        instances=plugins.everything(actor),
    )
