"""The pages of imports."""

from types import SimpleNamespace

from flask import Response, request

from webmacs.core.errors import Invalid
from webmacs.core.identity import Actor
from webmacs.core.permissions import Can
from webmacs.features.events import queries as events
from webmacs.features.imports import operations, queries
from webmacs.features.imports.blueprint import bp, uploaded
from webmacs.features.imports.forms import MappingForm
from webmacs.features.imports.schemas import ImportFilter, Mapping
from webmacs.web.pages import page, screen, see


@bp.get("/imports")
@screen(can=Can.RECORD, query=ImportFilter)
def index(actor: Actor, query: ImportFilter) -> Response:
    """Files of history that were brought here."""
    return _index(actor, query, "")


def _index(actor: Actor, query: ImportFilter, problem: str) -> Response:
    found = queries.find(actor, query)
    status = 422 if problem else 200
    return page("imports/index.html", "imports/_table.html", status, found=found, query=query, problem=problem)


@bp.post("/imports")
@screen(can=Can.RECORD, largest="MAX_UPLOAD_BYTES")
def upload(actor: Actor) -> Response:
    """Bring a file; how it is to be read comes next."""
    try:
        found = operations.create(actor, *uploaded())
    except Invalid as refused:
        return _index(actor, ImportFilter(page=1, page_size=25), str(refused))
    return see("imports.show", public_id=found.public_id)


@bp.get("/imports/<public_id>")
@screen(can=Can.RECORD)
def show(actor: Actor, public_id: str) -> Response:
    """One import: how its file is to be read, what a check found, how far it is."""
    return _show(actor, public_id, None)


def _show(actor: Actor, public_id: str, form: MappingForm | None) -> Response:
    found = queries.get(actor, public_id)
    shown, problem, chosen = None, "", {}
    if found.is_ready:
        try:
            shown = queries.preview(actor, found)
        except Invalid as broken:
            problem = str(broken)
    channels = [(event.public_id, event.name) for event in events.everything(actor)]
    if shown is not None:
        known = queries.suggestion(actor, found, shown)
        chosen = known.get("columns", {})
        form = form or MappingForm(formdata=None, obj=SimpleNamespace(**known))
        form.fill(shown, channels)
    return page(
        "imports/show.html",
        "imports/_state.html",
        form.status if form else 200,
        found=found,
        shown=shown,
        problem=problem,
        form=form,
        chosen=chosen,
        channels=channels,
    )


@bp.post("/imports/<public_id>/mapping")
@screen(can=Can.RECORD)
def map_columns(actor: Actor, public_id: str) -> Response:
    """Say how the file is to be read, and have it checked."""
    queries.get(actor, public_id)
    form = MappingForm()

    def set_and_check(sent: Mapping) -> object:
        operations.set_mapping(actor, public_id, sent)
        return operations.check(actor, public_id) if "check" in request.form else sent

    if form.submit(Mapping, set_and_check) is None:
        return _show(actor, public_id, form)
    return see("imports.show", public_id=public_id)


@bp.post("/imports/<public_id>/start")
@screen(can=Can.RECORD)
def start(actor: Actor, public_id: str) -> Response:
    """Record the file."""
    operations.start(actor, public_id)
    return see("imports.show", public_id=public_id)


@bp.post("/imports/<public_id>/cancel")
@screen(can=Can.RECORD)
def cancel(actor: Actor, public_id: str) -> Response:
    """End an import that is not over."""
    operations.cancel(actor, public_id)
    return see("imports.show", public_id=public_id)


@bp.post("/imports/<public_id>/delete")
@screen(can=Can.RECORD)
def delete(actor: Actor, public_id: str) -> Response:
    """Forget an import and its file."""
    operations.remove(actor, public_id)
    return see("imports.index")
