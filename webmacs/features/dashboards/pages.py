"""The overview and the browser of recorded values."""

from flask import Response
from pydantic import Field

from webmacs.core.identity import Actor
from webmacs.core.permissions import Can
from webmacs.features.dashboards import queries
from webmacs.features.dashboards.blueprint import bp
from webmacs.features.datapoints import queries as datapoints
from webmacs.features.datapoints.schemas import DatapointFilter
from webmacs.features.events import queries as events
from webmacs.features.experiments import queries as experiments
from webmacs.web.pages import page, screen

CHART_LINES = 8  # the most that stay readable; the channels' own pages draw the others


@bp.get("/")
@screen(can=Can.READ)
def overview(actor: Actor) -> Response:
    """Everything live: sensors, outputs, the running experiments and the state of the sources."""
    sources = queries.sources(actor)
    sensors = [event for source in sources for event in source.sensors if event.is_accepting]
    return page(
        "dashboards/overview.html",
        sources=sources,
        latest={point.event_public_id: point for point in datapoints.latest(actor)},
        running=experiments.running(actor),
        lines=[{"event": event.public_id, "name": event.name, "unit": event.unit} for event in sensors[:CHART_LINES]],
    )


class BrowserFilter(DatapointFilter):
    """The browser's filter: more rows to a page than the API's default."""

    page_size: int = Field(50, ge=1, le=100)


@bp.get("/data")
@screen(can=Can.READ, query=BrowserFilter)
def data(actor: Actor, query: BrowserFilter) -> Response:
    """Recorded values, newest first, filtered by channel, experiment and time."""
    channels = {event.public_id: event for event in events.everything(actor)}
    runs = experiments.names(actor)
    return page(
        "dashboards/data.html",
        "dashboards/_data.html",
        found=datapoints.find(actor, query),
        query=query,
        channels=channels,
        runs=runs,
        channel_choices=[(public_id, event.name) for public_id, event in channels.items()],
        run_choices=list(runs.items()),
    )
