"""/api/v1/audit."""

from flask import Response

from webmacs.api.endpoint import endpoint
from webmacs.core import clock
from webmacs.core.identity import Actor
from webmacs.core.permissions import Can
from webmacs.features.audit import queries
from webmacs.features.audit.blueprint import bp
from webmacs.features.audit.schemas import AuditExport, AuditFilter, AuditList, AuditOut
from webmacs.web.downloads import download

MEDIA = {"csv": "text/csv", "ndjson": "application/x-ndjson"}


@bp.get("/api/v1/audit")
@endpoint("List entries of the audit trail", can=Can.READ_AUDIT, query=AuditFilter, out=AuditList, errors=(404,))
def list_json(actor: Actor, query: AuditFilter) -> object:
    """Newest first; `next_cursor` leads to the entries before them."""
    return queries.find(actor, query)


@bp.get("/api/v1/audit/export")
@endpoint("Download the audit trail", can=Can.READ_AUDIT, query=AuditExport, errors=(429,), streams="*/*")
def export_json(actor: Actor, query: AuditExport) -> Response:
    """Oldest first, as CSV or NDJSON, streamed with constant memory."""
    chunks = queries.text_chunks(queries.plan(actor, query), query.format)
    return download(chunks, f"audit-{clock.now():%Y-%m-%d}.{query.format}", MEDIA[query.format])


@bp.get("/api/v1/audit/<public_id>")
@endpoint("Get an entry of the audit trail", can=Can.READ_AUDIT, out=AuditOut, errors=(404,))
def get_json(actor: Actor, public_id: str) -> object:
    """One entry."""
    return queries.get(actor, public_id)
