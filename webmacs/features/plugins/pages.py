"""The pages of plugin instances and their channels."""

from flask import Response, request

from webmacs.core.identity import Actor
from webmacs.core.permissions import Can
from webmacs.features.datapoints import queries as datapoints
from webmacs.features.events import queries as events
from webmacs.features.plugins import operations, queries
from webmacs.features.plugins.blueprint import bp
from webmacs.features.plugins.forms import ChannelForm, InstanceForm, NewInstanceForm
from webmacs.features.plugins.schemas import InstanceIn, InstancePatch, MappingIn, MappingPatch
from webmacs.web.pages import page, screen, see


@bp.get("/plugins")
@screen(can=Can.READ)
def index(actor: Actor) -> Response:
    """All plugin instances."""
    return page("plugins/index.html", "plugins/_table.html", instances=queries.everything(actor))


@bp.get("/plugins/new")
@screen(can=Can.MANAGE_PLUGINS)
def new(actor: Actor) -> Response:
    """Create an instance of a driver."""
    return _new(actor, NewInstanceForm(formdata=None))


def _new(actor: Actor, form: NewInstanceForm) -> Response:
    available = queries.available(actor)
    form.plugin_id.choices = [(driver.id, driver.name) for driver in available]
    return page("plugins/new.html", "plugins/_new.html", form.status, form=form, drivers=available)


@bp.post("/plugins")
@screen(can=Can.MANAGE_PLUGINS)
def create(actor: Actor) -> Response:
    """Create an instance of a driver."""
    form = NewInstanceForm()
    instance = form.submit(InstanceIn, lambda sent: operations.create(actor, sent))
    return _new(actor, form) if instance is None else see("plugins.show", public_id=instance.public_id)


@bp.get("/plugins/<public_id>")
@screen(can=Can.READ)
def show(actor: Actor, public_id: str) -> Response:
    """One instance: its state and its channels."""
    return _show(actor, public_id, None)


def _show(actor: Actor, public_id: str, form: ChannelForm | None) -> Response:
    return page(
        "plugins/show.html",
        status=form.status if form else 200,
        instance=queries.get(actor, public_id),
        events=events.everything(actor),
        latest={point.event_public_id: point for point in datapoints.latest(actor)},
        form=form or ChannelForm(formdata=None),
    )


@bp.get("/plugins/<public_id>/edit")
@screen(can=Can.MANAGE_PLUGINS)
def edit(actor: Actor, public_id: str) -> Response:
    """Change an instance."""
    instance = queries.get(actor, public_id)
    return page("plugins/edit.html", form=InstanceForm(formdata=None, obj=instance), instance=instance)


@bp.post("/plugins/<public_id>")
@screen(can=Can.MANAGE_PLUGINS)
def change(actor: Actor, public_id: str) -> Response:
    """Change an instance."""
    instance = queries.get(actor, public_id)
    form = InstanceForm()
    if form.submit(InstancePatch, lambda sent: operations.change(actor, public_id, sent)) is None:
        return page("plugins/edit.html", "plugins/_form.html", form.status, form=form, instance=instance)
    return see("plugins.show", public_id=public_id)


@bp.get("/plugins/<public_id>/delete")
@screen(can=Can.MANAGE_PLUGINS)
def confirm_delete(actor: Actor, public_id: str) -> Response:
    """Ask before an instance is deleted, and what is to become of its channels."""
    return page("plugins/delete.html", instance=queries.get(actor, public_id))


@bp.post("/plugins/<public_id>/delete")
@screen(can=Can.MANAGE_PLUGINS)
def delete(actor: Actor, public_id: str) -> Response:
    """Delete an instance; the channels that it made only when that was ticked."""
    operations.remove(actor, public_id, purge=request.form.get("purge") == "yes")
    return see("plugins.index")


@bp.post("/plugins/<public_id>/channels")
@screen(can=Can.MANAGE_PLUGINS)
def add_channel(actor: Actor, public_id: str) -> Response:
    """Add a channel by hand."""
    form = ChannelForm()
    if form.submit(MappingIn, lambda sent: operations.add_mapping(actor, public_id, sent)) is None:
        return _show(actor, public_id, form)
    return see("plugins.show", public_id=public_id)


@bp.post("/plugins/<public_id>/channels/<mapping_id>")
@screen(can=Can.MANAGE_PLUGINS)
def link_channel(actor: Actor, public_id: str, mapping_id: str) -> Response:
    """Link a channel to an event, or unlink it."""
    patch = MappingPatch(event_public_id=request.form.get("event_public_id") or None)
    operations.change_mapping(actor, public_id, mapping_id, patch)
    return see("plugins.show", public_id=public_id)


@bp.post("/plugins/<public_id>/channels/<mapping_id>/delete")
@screen(can=Can.MANAGE_PLUGINS)
def delete_channel(actor: Actor, public_id: str, mapping_id: str) -> Response:
    """Delete a channel; a linked event stays with its data."""
    operations.remove_mapping(actor, public_id, mapping_id)
    return see("plugins.show", public_id=public_id)
