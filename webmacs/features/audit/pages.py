"""The pages of the audit trail."""

from typing import Any

from flask import Response, request

from webmacs.core.identity import Actor
from webmacs.core.permissions import Can
from webmacs.features.audit import queries
from webmacs.features.audit.blueprint import bp
from webmacs.features.audit.schemas import AuditFilter, Outcome
from webmacs.web.pages import page, screen

LABELS = {"event": "channel", "login": "session"}  # what pages call a kind of thing otherwise
WAYS = {"browser": "Browser", "jwt": "API, signed in", "token": "API token", "system": "WebMACS itself"}
CONDITIONS = ("who", "what", "kind", "outcome", "start", "stop")


def _title(entry: Any) -> str:
    """What happened, in two words."""
    if (entry.kind, entry.action) == ("login", "created"):
        return "Signed in"
    return f"{LABELS.get(entry.kind, entry.kind)} {entry.action}".capitalize()


@bp.get("/audit")
@screen(can=Can.READ_AUDIT, query=AuditFilter)
def index(actor: Actor, query: AuditFilter) -> Response:
    """Who changed what, and what was refused, newest first."""
    return page(
        "audit/index.html",
        "audit/_table.html",
        found=queries.find(actor, query),
        query=query,
        kinds=[(kind, LABELS.get(kind, kind).capitalize()) for kind in queries.kinds(actor)],
        title=_title,
        outcomes=[(outcome.value, outcome.value.capitalize()) for outcome in Outcome],
        chosen=[(name, request.args[name]) for name in CONDITIONS if request.args.get(name)],
    )


@bp.get("/audit/<public_id>")
@screen(can=Can.READ_AUDIT)
def show(actor: Actor, public_id: str) -> Response:
    """One entry, with what was and what is side by side."""
    entry = queries.get(actor, public_id)
    old, new = entry.old_values, entry.new_values
    fields = [(name, old.get(name), new.get(name)) for name in sorted({*old, *new})]
    return page("audit/show.html", entry=entry, fields=fields, title=_title(entry), ways=WAYS)
