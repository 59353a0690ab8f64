"""/api/v1/exports."""

import tempfile
from collections.abc import Iterator

from flask import Response, send_file

from webmacs.api.endpoint import endpoint
from webmacs.core import clock
from webmacs.core.errors import Unavailable
from webmacs.core.identity import Actor
from webmacs.core.paging import PageOut
from webmacs.core.permissions import Can
from webmacs.core.schemas import Written
from webmacs.features.exports import jobs, operations, queries
from webmacs.features.exports.blueprint import bp
from webmacs.features.exports.schemas import MEDIA, ExportFilter, ExportIn, ExportOut, StreamQuery
from webmacs.gateways import parquet
from webmacs.web.downloads import disposition, download

ROOT = "/api/v1/exports"
PIECE = 128 << 10  # bytes


@bp.get(ROOT)
@endpoint("List exports", can=Can.READ, query=ExportFilter, out=PageOut[ExportOut])
def list_json(actor: Actor, query: ExportFilter) -> object:
    """One's own, newest first; administrators see everybody's."""
    return queries.find(actor, query)


@bp.post(ROOT)
@endpoint("Create an export", can=Can.READ, body=ExportIn, out=ExportOut, status=201, errors=(404, 409))
def create_json(actor: Actor, body: ExportIn) -> object:
    """The file is written in the background; `download_url` tells where it is once `state` is `done`."""
    jobs.check_worker()
    return operations.create(actor, body)


@bp.get(f"{ROOT}/stream")
@endpoint("Download a small selection at once", can=Can.READ, query=StreamQuery, errors=(404, 429), streams="*/*")
def stream_json(actor: Actor, query: StreamQuery) -> Response:
    """As `text/csv`, `application/x-ndjson` or `application/vnd.apache.parquet`; up to 200 000 values."""
    plan = queries.plan_for_a_stream(actor, query)
    chunks = _parquet(plan) if query.format == "parquet" else queries.text_chunks(plan, query.format)
    return download(chunks, f"webmacs_{clock.now():%Y-%m-%d_%H%M%S}.{query.format}", MEDIA[query.format])


def _parquet(plan: queries.Plan) -> Iterator[bytes]:
    """Parquet ends with its table of contents, so it is written to a scratch file before it is sent."""
    try:
        parquet.arrow()
    except parquet.MissingError as missing:
        raise Unavailable(str(missing)) from None
    return _from_scratch(plan)


def _from_scratch(plan: queries.Plan) -> Iterator[bytes]:
    with tempfile.TemporaryFile() as scratch:
        with parquet.writer(scratch, jobs.parquet_channels(plan)) as add:
            for found in plan.columns():
                add(*found)
        scratch.seek(0)
        yield from iter(lambda: scratch.read(PIECE), b"")


@bp.get(f"{ROOT}/<public_id>")
@endpoint("Get an export", can=Can.READ, out=ExportOut, errors=(404,))
def get_json(actor: Actor, public_id: str) -> object:
    """With its progress, and the size and SHA-256 of the finished file."""
    return queries.get(actor, public_id)


@bp.get(f"{ROOT}/<public_id>/file")
@endpoint("Download the file of an export", can=Can.READ, errors=(404,), streams="*/*")
def file_json(actor: Actor, public_id: str) -> Response:
    """Until it expires; a `Range` is understood, so that a broken download can go on."""
    export, path = queries.finished(actor, public_id)
    answer: Response = send_file(path, mimetype=MEDIA[export.format], etag=export.sha256 or True, max_age=0)
    answer.headers["Content-Disposition"] = disposition(export.name)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.put(f"{ROOT}/<public_id>/cancel")
@endpoint("Cancel an export", can=Can.READ, out=ExportOut, errors=(404, 409))
def cancel_json(actor: Actor, public_id: str) -> object:
    """One that waits or is being written."""
    return operations.cancel(actor, public_id)


@bp.delete(f"{ROOT}/<public_id>")
@endpoint("Delete an export", can=Can.READ, out=Written, errors=(404,))
def remove_json(actor: Actor, public_id: str) -> object:
    """With its file."""
    operations.remove(actor, public_id)
    return Written(message="Export successfully deleted.", public_id=public_id)
