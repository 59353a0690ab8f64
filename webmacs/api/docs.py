"""The API's own documentation: /openapi.json, /docs (Swagger UI) and /redoc (a page to read), all served by us."""

from flask import Blueprint, Response, current_app, jsonify

from webmacs.api import openapi
from webmacs.api.endpoint import endpoint
from webmacs.core.identity import Actor
from webmacs.core.permissions import Access
from webmacs.web.pages import page, screen

bp = Blueprint("docs", __name__)


@bp.get("/openapi.json")
@endpoint("The OpenAPI document", can=Access.PUBLIC, out=dict[str, object])
def document_json(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """OpenAPI 3.1, made from the declarations of the endpoints."""
    return jsonify(openapi.document(current_app))


@bp.get("/docs")
@screen(can=Access.PUBLIC)
def swagger(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """Try the API in the browser."""
    return page("docs/swagger.html")


@bp.get("/redoc")
@screen(can=Access.PUBLIC)
def reference(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """Read the API, without JavaScript."""
    return page("docs/reference.html", document=openapi.document(current_app))
