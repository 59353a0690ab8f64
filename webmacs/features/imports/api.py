"""/api/v1/imports."""

from flask import request
from pydantic import ValidationError

from webmacs.api.endpoint import endpoint
from webmacs.core.errors import Invalid
from webmacs.core.identity import Actor
from webmacs.core.paging import PageOut
from webmacs.core.permissions import Can
from webmacs.core.schemas import Written
from webmacs.features.imports import operations, queries
from webmacs.features.imports.blueprint import bp, uploaded
from webmacs.features.imports.schemas import ImportFilter, ImportOut, Mapping, Preview

ROOT = "/api/v1/imports"


@bp.get(ROOT)
@endpoint("List imports", can=Can.RECORD, query=ImportFilter, out=PageOut[ImportOut])
def list_json(actor: Actor, query: ImportFilter) -> object:
    """Newest first."""
    return queries.find(actor, query)


@bp.post(ROOT)
@endpoint(
    "Upload a file of history",
    can=Can.RECORD,
    out=ImportOut,
    status=201,
    errors=(404, 409),
    replayable=False,
    uploads=("multipart/form-data",),
    largest="MAX_UPLOAD_BYTES",
)
def upload_json(actor: Actor) -> object:
    """`multipart/form-data` with `file` (CSV or Parquet), optionally `mapping` (JSON) and then `start` (`true`)."""
    mapping = _mapping()
    found = operations.create(actor, *uploaded())
    if mapping is not None:
        found = operations.set_mapping(actor, found.public_id, mapping)
        if request.form.get("start") == "true":
            found = operations.start(actor, found.public_id)
    return found


def _mapping() -> Mapping | None:
    sent = request.form.get("mapping")
    if not sent:
        return None
    try:
        mapping = Mapping.model_validate_json(sent)
    except ValidationError as refused:
        raise Invalid(
            {".".join(["mapping", *(str(part) for part in e["loc"])]): e["msg"] for e in refused.errors()}
        ) from None
    if sentence := mapping.lacks():
        raise Invalid({"mapping": sentence})
    return mapping


@bp.get(f"{ROOT}/<public_id>")
@endpoint("Get an import", can=Can.RECORD, out=ImportOut, errors=(404,))
def get_json(actor: Actor, public_id: str) -> object:
    """With its progress, and the first hundred rows that cannot be recorded."""
    return queries.get(actor, public_id)


@bp.get(f"{ROOT}/<public_id>/preview")
@endpoint("See the first rows of an uploaded file", can=Can.RECORD, out=Preview, errors=(404, 409, 422))
def preview_json(actor: Actor, public_id: str) -> object:
    """Its columns and five rows, as text."""
    return queries.preview(actor, queries.get(actor, public_id))


@bp.put(f"{ROOT}/<public_id>")
@endpoint("Say how a file is to be read", can=Can.RECORD, body=Mapping, out=ImportOut, errors=(404, 409))
def map_json(actor: Actor, public_id: str, body: Mapping) -> object:
    """Before it is checked or started."""
    return operations.set_mapping(actor, public_id, body)


@bp.put(f"{ROOT}/<public_id>/check")
@endpoint("Check a file", can=Can.RECORD, out=ImportOut, errors=(404, 409))
def check_json(actor: Actor, public_id: str) -> object:
    """Reads all of it in the background and records nothing."""
    return operations.check(actor, public_id)


@bp.put(f"{ROOT}/<public_id>/start")
@endpoint("Record a file", can=Can.RECORD, out=ImportOut, errors=(404, 409))
def start_json(actor: Actor, public_id: str) -> object:
    """In the background; repeating it changes nothing, bad rows are counted and spoil nothing."""
    return operations.start(actor, public_id)


@bp.put(f"{ROOT}/<public_id>/cancel")
@endpoint("Cancel an import", can=Can.RECORD, out=ImportOut, errors=(404, 409))
def cancel_json(actor: Actor, public_id: str) -> object:
    """What was recorded stays."""
    return operations.cancel(actor, public_id)


@bp.delete(f"{ROOT}/<public_id>")
@endpoint("Delete an import", can=Can.RECORD, out=Written, errors=(404,))
def remove_json(actor: Actor, public_id: str) -> object:
    """With its file; what was recorded stays."""
    operations.remove(actor, public_id)
    return Written(message="Import successfully deleted.", public_id=public_id)
