"""The datapoints browser."""

from flask import Response

from webmacs.core.identity import Actor
from webmacs.core.permissions import Can
from webmacs.features.datapoints import queries
from webmacs.features.datapoints.blueprint import bp
from webmacs.features.datapoints.schemas import DatapointFilter
from webmacs.features.events import queries as events
from webmacs.web.pages import page, screen


class BrowserFilter(DatapointFilter):
    """The browser's filter: more rows to a page than the API's default."""

    page_size: int = 50


@bp.get("/data")
@screen(can=Can.READ, query=BrowserFilter)
def index(actor: Actor, query: BrowserFilter) -> Response:
    """Recorded values, newest first, filtered by channel, experiment and time."""
    channels = {event.public_id: event for event in events.everything(actor)}
    found = queries.find(actor, query)
    runs = queries.stretches(actor)
    return page(
        "datapoints/index.html", "datapoints/_table.html", found=found, query=query, channels=channels, runs=runs
    )
