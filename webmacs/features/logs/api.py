"""/api/v1/logging."""

from webmacs.api.endpoint import endpoint
from webmacs.core.identity import Actor
from webmacs.core.paging import PageOut
from webmacs.core.permissions import Can
from webmacs.core.schemas import Written
from webmacs.features.logs import operations, queries
from webmacs.features.logs.blueprint import bp
from webmacs.features.logs.schemas import LogFilter, LogIn, LogOut, LogPatch


@bp.get("/api/v1/logging")
@endpoint("List log entries", can=Can.READ, query=LogFilter, out=PageOut[LogOut])
def list_json(actor: Actor, query: LogFilter) -> object:
    """Newest first."""
    return queries.find(actor, query)


@bp.get("/api/v1/logging/<public_id>")
@endpoint("Get a log entry", can=Can.READ, out=LogOut, errors=(404,))
def get_json(actor: Actor, public_id: str) -> object:
    """One entry."""
    return queries.get(actor, public_id)


@bp.post("/api/v1/logging")
@endpoint("Create a log entry", can=Can.WRITE_LOGS, body=LogIn, out=Written, status=201)
def create_json(actor: Actor, body: LogIn) -> Written:
    """A new entry is unread."""
    entry = operations.write(actor, body)
    return Written(message="LogEntry successfully created.", public_id=entry.public_id)


@bp.put("/api/v1/logging/<public_id>")
@endpoint("Update a log entry (mark read)", can=Can.WRITE_LOGS, body=LogPatch, out=Written, errors=(404,))
def change_json(actor: Actor, public_id: str, body: LogPatch) -> Written:
    """Only the fields that are sent change."""
    operations.change(actor, public_id, body)
    return Written(message="LogEntry successfully updated.", public_id=public_id)
