"""/api/v1/plugins: drivers, instances and channels."""

from webmacs.api.endpoint import endpoint
from webmacs.core.identity import Actor
from webmacs.core.paging import PageOut, PageQuery
from webmacs.core.permissions import Can
from webmacs.core.schemas import Written
from webmacs.features.plugins import operations, queries
from webmacs.features.plugins.blueprint import bp
from webmacs.features.plugins.schemas import (
    DriverOut,
    InstanceIn,
    InstanceOut,
    InstancePatch,
    MappingIn,
    MappingOut,
    MappingPatch,
    RemoveQuery,
    StatusIn,
)

ROOT = "/api/v1/plugins"


@bp.get(f"{ROOT}/available")
@endpoint("List all discovered plugin classes", can=Can.READ, out=list[DriverOut])
def available_json(actor: Actor) -> object:
    """Found by the entry-point group `webmacs.plugins`."""
    return queries.available(actor)


@bp.get(ROOT)
@endpoint("List plugin instances (paginated)", can=Can.READ, query=PageQuery, out=PageOut[InstanceOut])
def list_json(actor: Actor, query: PageQuery) -> object:
    """With their channels, in the order of their creation."""
    return queries.find(actor, query)


@bp.post(ROOT)
@endpoint(
    "Create a new plugin instance", can=Can.MANAGE_PLUGINS, body=InstanceIn, out=Written, status=201, errors=(409,)
)
def create_json(actor: Actor, body: InstanceIn) -> object:
    """Channels are found from the plugin class."""
    instance = operations.create(actor, body)
    return Written(message="Plugin instance created.", public_id=instance.public_id)


@bp.get(f"{ROOT}/<public_id>")
@endpoint("Get a single plugin instance", can=Can.READ, out=InstanceOut, errors=(404,))
def get_json(actor: Actor, public_id: str) -> object:
    """With its channels."""
    return queries.get(actor, public_id)


@bp.put(f"{ROOT}/<public_id>")
@endpoint("Update a plugin instance", can=Can.MANAGE_PLUGINS, body=InstancePatch, out=Written, errors=(404, 409))
def change_json(actor: Actor, public_id: str, body: InstancePatch) -> object:
    """The agent applies the change at its next look."""
    operations.change(actor, public_id, body)
    return Written(message="Plugin instance successfully updated.", public_id=public_id)


@bp.delete(f"{ROOT}/<public_id>")
@endpoint("Delete a plugin instance", can=Can.MANAGE_PLUGINS, query=RemoveQuery, out=Written, errors=(404,))
def remove_json(actor: Actor, public_id: str, query: RemoveQuery) -> object:
    """Events and data stay; `purge` deletes those events that only this instance made and uses."""
    operations.remove(actor, public_id, purge=query.purge)
    return Written(message="Plugin instance successfully deleted.", public_id=public_id)


@bp.put(f"{ROOT}/<public_id>/status")
@endpoint("Report the state of a plugin instance", can=Can.REPORT_PLUGINS, body=StatusIn, out=Written, errors=(404,))
def report_json(actor: Actor, public_id: str, body: StatusIn) -> object:
    """Sent by the agent, on a change and as a sign of life."""
    operations.report(actor, public_id, body)
    return Written(message="Status reported.", public_id=public_id)


@bp.get(f"{ROOT}/<public_id>/channels")
@endpoint("List channel mappings", can=Can.READ, out=list[MappingOut], errors=(404,))
def list_channels_json(actor: Actor, public_id: str) -> object:
    """In the order of their creation."""
    return queries.get(actor, public_id).channel_mappings


@bp.post(f"{ROOT}/<public_id>/channels")
@endpoint(
    "Create a channel mapping", can=Can.MANAGE_PLUGINS, body=MappingIn, out=Written, status=201, errors=(404, 409)
)
def add_channel_json(actor: Actor, public_id: str, body: MappingIn) -> object:
    """Add a channel by hand."""
    mapping = operations.add_mapping(actor, public_id, body)
    return Written(message="Channel mapping successfully created.", public_id=mapping.public_id)


@bp.put(f"{ROOT}/<public_id>/channels/<mapping_id>")
@endpoint("Update a channel mapping", can=Can.MANAGE_PLUGINS, body=MappingPatch, out=Written, errors=(404,))
def change_channel_json(actor: Actor, public_id: str, mapping_id: str, body: MappingPatch) -> object:
    """Link the channel to an event; null unlinks."""
    operations.change_mapping(actor, public_id, mapping_id, body)
    return Written(message="Channel mapping successfully updated.", public_id=mapping_id)


@bp.delete(f"{ROOT}/<public_id>/channels/<mapping_id>")
@endpoint("Delete a channel mapping", can=Can.MANAGE_PLUGINS, out=Written, errors=(404,))
def remove_channel_json(actor: Actor, public_id: str, mapping_id: str) -> object:
    """A linked event stays with its data."""
    operations.remove_mapping(actor, public_id, mapping_id)
    return Written(message="Channel mapping successfully deleted.", public_id=mapping_id)
