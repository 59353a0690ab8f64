"""The log book's page."""

from flask import Response

from webmacs.core.identity import Actor
from webmacs.core.permissions import Can
from webmacs.features.logs import operations, queries
from webmacs.features.logs.blueprint import bp
from webmacs.features.logs.forms import LogForm
from webmacs.features.logs.schemas import LogFilter, LogIn, LogPatch, LogStatus, LogType
from webmacs.web.pages import page, screen, see


@bp.get("/logs")
@screen(can=Can.READ, query=LogFilter)
def index(actor: Actor, query: LogFilter) -> Response:
    """The log book, newest first."""
    return _index(actor, query, LogForm(formdata=None))


def _index(actor: Actor, query: LogFilter, form: LogForm) -> Response:
    found, unread = queries.find(actor, query), queries.count_unread(actor)
    names = {"found": found, "query": query, "unread": unread, "form": form, "types": LogType, "states": LogStatus}
    return page("logs/index.html", "logs/_table.html", form.status, **names)


@bp.post("/logs")
@screen(can=Can.WRITE_LOGS)
def create(actor: Actor) -> Response:
    """Write an entry."""
    form = LogForm()
    if form.submit(LogIn, lambda new: operations.write(actor, new)) is None:
        return _index(actor, LogFilter(), form)
    return see("logs.index")


@bp.post("/logs/<public_id>/read")
@screen(can=Can.WRITE_LOGS)
def mark_read(actor: Actor, public_id: str) -> Response:
    """Tick an entry off."""
    operations.change(actor, public_id, LogPatch(status_type=LogStatus.READ))
    return see("logs.index")


@bp.post("/logs/read-all")
@screen(can=Can.WRITE_LOGS)
def mark_all_read(actor: Actor) -> Response:
    """Tick off everything."""
    operations.mark_all_read(actor)
    return see("logs.index")
