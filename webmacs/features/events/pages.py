"""The pages of channels (events)."""

from flask import Response

from webmacs.core.identity import Actor
from webmacs.core.permissions import Can
from webmacs.features.events import operations, queries
from webmacs.features.events.blueprint import bp
from webmacs.features.events.forms import TYPE_NAMES, EventForm
from webmacs.features.events.schemas import EventFilter, EventIn, EventPatch
from webmacs.web.forms import sent_data
from webmacs.web.pages import page, screen, see


@bp.get("/channels")
@screen(can=Can.READ, query=EventFilter)
def index(actor: Actor, query: EventFilter) -> Response:
    """All channels."""
    return page(
        "events/index.html", "events/_table.html", found=queries.find(actor, query), query=query, type_names=TYPE_NAMES
    )


@bp.get("/channels/new")
@screen(can=Can.MANAGE_CHANNELS)
def new(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """Define a channel."""
    return page("events/edit.html", form=EventForm(formdata=None), event=None)


@bp.post("/channels")
@screen(can=Can.MANAGE_CHANNELS)
def create(actor: Actor) -> Response:
    """Define a channel."""
    form = EventForm()
    event = form.submit(EventIn, lambda sent: operations.create(actor, sent))
    if event is None:
        return page("events/edit.html", "events/_form.html", form.status, form=form, event=None)
    return see("events.show", public_id=event.public_id)


@bp.get("/channels/<public_id>")
@screen(can=Can.READ)
def show(actor: Actor, public_id: str) -> Response:
    """One channel: its definition and its recent values."""
    return page("events/show.html", event=queries.get(actor, public_id), type_names=TYPE_NAMES)


@bp.get("/channels/<public_id>/edit")
@screen(can=Can.MANAGE_CHANNELS)
def edit(actor: Actor, public_id: str) -> Response:
    """Change a channel's definition."""
    event = queries.get(actor, public_id)
    return page("events/edit.html", form=EventForm(formdata=None, obj=event), event=event)


@bp.post("/channels/<public_id>")
@screen(can=Can.MANAGE_CHANNELS)
def change(actor: Actor, public_id: str) -> Response:
    """Change a channel's definition."""
    event = queries.get(actor, public_id)
    form = EventForm()
    if form.submit(EventPatch, lambda sent: operations.change(actor, public_id, sent)) is None:
        return page("events/edit.html", "events/_form.html", form.status, form=form, event=event)
    return see("events.show", public_id=public_id)


@bp.get("/channels/<public_id>/delete")
@screen(can=Can.MANAGE_CHANNELS)
def confirm_delete(actor: Actor, public_id: str) -> Response:
    """Ask before a channel is deleted with all of its measurements."""
    return page("events/delete.html", event=queries.get(actor, public_id), problem="")


@bp.post("/channels/<public_id>/delete")
@screen(can=Can.MANAGE_CHANNELS)
def delete(actor: Actor, public_id: str) -> Response:
    """Delete a channel with all of its measurements, once its name was typed."""
    event = queries.get(actor, public_id)
    if sent_data("confirmation").strip() != event.name:
        return page("events/delete.html", status=422, event=event, problem="This is not the channel's name.")
    operations.remove(actor, public_id)
    return see("events.index")
