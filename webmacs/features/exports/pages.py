"""The pages of exports."""

from flask import Response, request

from webmacs.core.identity import Actor
from webmacs.core.permissions import Can
from webmacs.features.events import queries as events
from webmacs.features.experiments import queries as experiments
from webmacs.features.exports import jobs, operations, queries
from webmacs.features.exports.blueprint import bp
from webmacs.features.exports.forms import ExportForm
from webmacs.features.exports.schemas import FORMAT_NAMES, ExportFilter, ExportIn
from webmacs.web.pages import page, screen, see


@bp.get("/exports")
@screen(can=Can.READ, query=ExportFilter)
def index(actor: Actor, query: ExportFilter) -> Response:
    """Files of recorded values: those that are being written and those that can be downloaded."""
    return page(
        "exports/index.html",
        "exports/_table.html",
        found=queries.find(actor, query),
        query=query,
        formats=FORMAT_NAMES,
        runs=experiments.names(actor),
    )


@bp.get("/exports/new")
@screen(can=Can.READ)
def new(actor: Actor) -> Response:
    """Ask for a file of recorded values; the address may fill in the form."""
    return _new(actor, ExportForm(formdata=request.args))


def _new(actor: Actor, form: ExportForm) -> Response:
    form.event_public_ids.choices = [(event.public_id, event.name) for event in events.everything(actor)]
    form.experiment_public_id.choices = [("", "Any time"), *experiments.names(actor).items()]
    return page("exports/new.html", "exports/_form.html", form.status, form=form)


@bp.post("/exports")
@screen(can=Can.READ)
def create(actor: Actor) -> Response:
    """Ask for a file of recorded values."""
    jobs.check_worker()
    form = ExportForm()
    export = form.submit(ExportIn, lambda sent: operations.create(actor, sent))
    return _new(actor, form) if export is None else see("exports.index")


@bp.post("/exports/<public_id>/cancel")
@screen(can=Can.READ)
def cancel(actor: Actor, public_id: str) -> Response:
    """Cancel an export that is not finished."""
    operations.cancel(actor, public_id)
    return see("exports.index")


@bp.post("/exports/<public_id>/delete")
@screen(can=Can.READ)
def delete(actor: Actor, public_id: str) -> Response:
    """Delete an export and its file."""
    operations.remove(actor, public_id)
    return see("exports.index")
