"""/dev/patterns: every macro in every state, in development only."""

from flask import Blueprint, Response

from webmacs.core.identity import Actor
from webmacs.core.permissions import Access
from webmacs.web.pages import page, screen

bp = Blueprint("patterns", __name__)


@bp.get("/dev/patterns")
@screen(can=Access.PUBLIC)
def patterns(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """Every macro in every state."""
    return page("dev/patterns.html")
