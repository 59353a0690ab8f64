"""/api/v1/datapoints."""

import orjson
from flask import Response

from webmacs.api.endpoint import JSON, endpoint
from webmacs.core.identity import Actor
from webmacs.core.paging import PageOut
from webmacs.core.permissions import Can
from webmacs.core.schemas import Written
from webmacs.features.datapoints import operations, queries
from webmacs.features.datapoints.admit import Reading
from webmacs.features.datapoints.blueprint import bp
from webmacs.features.datapoints.schemas import (
    AggregateIn,
    AggregateOut,
    BatchIn,
    BatchOut,
    DatapointFilter,
    DatapointIn,
    DatapointOut,
    Rejected,
    SeriesIn,
)


class DatapointPage(PageOut[DatapointOut]):
    """A page with the cursor of the next one."""

    next_cursor: str | None


@bp.get("/api/v1/datapoints")
@endpoint(
    "List datapoints (paginated)",
    can=Can.READ,
    query=DatapointFilter,
    out=DatapointPage,
    errors=(404,),
    by_channel=True,
)
def list_json(actor: Actor, query: DatapointFilter) -> object:
    """Newest first. For long lists pass `next_cursor` as `cursor` instead of counting pages."""
    return queries.find(actor, query)


@bp.post("/api/v1/datapoints")
@endpoint(
    "Create a single datapoint",
    can=Can.RECORD,
    body=DatapointIn,
    out=BatchOut,
    status=201,
    errors=(404, 409),
    by_channel=True,
)
def create_json(actor: Actor, body: DatapointIn) -> object:
    """The same (event, timestamp) again changes nothing."""
    row = operations.record_one(actor, Reading(body.event_public_id, body.value, body.timestamp))
    return BatchOut(
        message="1 datapoint successfully created.",
        accepted=1,
        rejected=[],
        public_id=queries.public_id(body.event_public_id, row.ts),
    )


@bp.post("/api/v1/datapoints/batch")
@endpoint("Create multiple datapoints", can=Can.RECORD, body=BatchIn, out=BatchOut, status=201, by_channel=True)
def create_many_json(actor: Actor, body: BatchIn) -> object:
    """Up to 500. Good items are recorded, the others are listed with their reason."""
    batch = [Reading(item.event_public_id, item.value, item.timestamp) for item in body.datapoints]
    result = operations.record(actor, batch)
    count = len(result.accepted)
    return BatchOut(
        message=f"{count} datapoint{'' if count == 1 else 's'} successfully created.",
        accepted=count,
        rejected=[Rejected(index=index, reason=reason) for index, reason in result.rejected.items()],
    )


@bp.post("/api/v1/datapoints/series")
@endpoint(
    "Get time-series data", can=Can.READ, body=SeriesIn, out=dict[str, list[DatapointOut]], reads=True, by_channel=True
)
def series_json(actor: Actor, body: SeriesIn) -> object:
    """Uniform sampling by default, first and last always included; `minmax` and `lttb` keep peaks."""
    return _written_out(queries.series(actor, body))


@bp.post("/api/v1/datapoints/aggregate")
@endpoint(
    "Get aggregates of time buckets",
    can=Can.READ,
    body=AggregateIn,
    out=dict[str, list[AggregateOut]],
    reads=True,
    by_channel=True,
)
def aggregate_json(actor: Actor, body: AggregateIn) -> object:
    """Buckets begin at whole multiples of their length since 1970 UTC; those without datapoints are left out."""
    return _written_out(queries.aggregate(actor, body))


def _written_out(document: object) -> Response:
    """JSON at once: thousands of points are not checked one by one against the schema that a test checks them by."""
    return Response(orjson.dumps(document, option=orjson.OPT_UTC_Z), mimetype=JSON)


@bp.get("/api/v1/datapoints/latest")
@endpoint("Get the latest datapoint of each event", can=Can.READ, out=list[DatapointOut], by_channel=True)
def latest_json(actor: Actor) -> object:
    """In the order of the events; events without datapoints are left out."""
    return _written_out([point._asdict() for point in queries.latest(actor)])


@bp.get("/api/v1/datapoints/<public_id>")
@endpoint("Get a datapoint", can=Can.READ, out=DatapointOut, errors=(404,), by_channel=True)
def get_json(actor: Actor, public_id: str) -> object:
    """One datapoint by its id."""
    return queries.get(actor, public_id)


@bp.delete("/api/v1/datapoints/<public_id>")
@endpoint("Delete a datapoint", can=Can.DELETE_DATAPOINTS, out=Written, errors=(404,))
def remove_json(actor: Actor, public_id: str) -> object:
    """One datapoint by its id."""
    operations.remove(actor, public_id)
    return Written(message="Datapoint successfully deleted.", public_id=public_id)
