"""POST /api/v1/datapoints/bulk: as many values as a body holds, in one transaction."""

import io

from flask import request

from webmacs.api.endpoint import endpoint
from webmacs.core.errors import Invalid
from webmacs.core.identity import Actor
from webmacs.core.permissions import Can
from webmacs.core.schemas import Written
from webmacs.features.datapoints import operations
from webmacs.features.datapoints.blueprint import bp
from webmacs.features.datapoints.schemas import Rejected
from webmacs.ingest.formats import PARSERS

LISTED = 100  # rejected items; all of them are counted


class BulkOut(Written):
    """`message` begins with the accepted count; `rejected` lists the first hundred items by their place in the body."""

    accepted: int
    rejected_count: int
    rejected: list[Rejected]


@bp.post("/api/v1/datapoints/bulk")
@endpoint(
    "Create any number of datapoints",
    can=Can.RECORD,
    out=BulkOut,
    status=201,
    uploads=tuple(PARSERS),
    largest="MAX_BULK_BYTES",
    by_channel=True,
)
def create_bulk_json(actor: Actor) -> object:
    """NDJSON, Arrow IPC or Parquet by Content-Type. All good items are recorded together, or none."""
    parse = PARSERS.get(request.mimetype)
    if parse is None:
        raise Invalid({"": f"Content-Type must be one of {', '.join(PARSERS)}."})
    count = 0
    reasons: dict[int, str] = {}
    for chunk in parse(io.BytesIO(request.get_data())):  # by parts: what is in memory at once does not grow
        accepted, rejected = operations.load(actor, chunk.names, chunk.values, chunk.moments)
        count += accepted
        reasons |= chunk.reasons
        reasons |= {chunk.places[index]: reason for index, reason in rejected.items()}
    return BulkOut(
        message=f"{count} datapoint{'' if count == 1 else 's'} successfully created.",
        accepted=count,
        rejected_count=len(reasons),
        rejected=[Rejected(index=index, reason=reasons[index]) for index in sorted(reasons)[:LISTED]],
    )
