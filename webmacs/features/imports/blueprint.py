"""The routes of imports, pages and JSON alike, hang on this blueprint."""

from collections.abc import Iterator

from flask import Blueprint, current_app, request

from webmacs.core.errors import Invalid, Unavailable
from webmacs.core.permissions import Can, allows
from webmacs.web.arrival import allow_large, identify_early

bp = Blueprint("imports", __name__)

PIECE = 256 << 10  # bytes
NO_WORKER = "Files are read by the worker, which needs REDIS_URL."
UPLOADS = ("imports.upload", "imports.upload_json")


@bp.before_request
def take_upload() -> None:
    """Take a large file apart before the arrival's transaction begins: nobody shall wait for it with a lock."""
    if request.endpoint not in UPLOADS:
        return
    allow_large(vars(current_app.view_functions[request.endpoint])["__edge__"])
    if allows(identify_early(), Can.RECORD):
        _ = request.files


def uploaded() -> tuple[str, Iterator[bytes]]:
    """Name and content of the uploaded `file`. Raises `Invalid` when there is none, `Unavailable` without a worker."""
    if not current_app.config["REDIS_URL"]:
        raise Unavailable(NO_WORKER)
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        raise Invalid({"file": "Choose a file."})
    return sent.filename, iter(lambda: sent.stream.read(PIECE), b"")
