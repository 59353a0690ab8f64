"""Every change to plugin instances and their channels."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import delete, update

from webmacs.core import clock
from webmacs.core.db import db
from webmacs.core.errors import Conflict, Invalid, NotFound
from webmacs.core.identity import Actor
from webmacs.core.ids import new_id
from webmacs.core.permissions import Can, authorize
from webmacs.features.events import operations as events
from webmacs.features.events import queries as event_queries
from webmacs.features.events.schemas import EventIn, EventType
from webmacs.features.plugins import queries
from webmacs.features.plugins.models import ChannelMapping, PluginInstance
from webmacs.features.plugins.schemas import (
    Direction,
    InstanceIn,
    InstancePatch,
    MappingIn,
    MappingPatch,
    StatusIn,
)
from webmacs.gateways import drivers

EVENT_TYPES = {
    Direction.INPUT: EventType.SENSOR,
    Direction.OUTPUT: EventType.ACTUATOR,
    Direction.BIDIRECTIONAL: EventType.RANGE,
}
DEFAULT_POLL_MS = 1000
LONGEST_POLL_MS = 86_400_000


def create(actor: Actor, new: InstanceIn) -> PluginInstance:
    """Create an instance and find its channels; unless told otherwise each gets an event."""
    authorize(actor, Can.MANAGE_PLUGINS)
    if queries.name_is_taken(actor, new.instance_name):
        raise Conflict("Plugin instance already exists.")
    now = clock.now()
    instance = PluginInstance(
        public_id=new_id("plg"),
        organization_id=actor.organization_id,
        plugin_id=new.plugin_id,
        instance_name=new.instance_name,
        demo_mode=new.demo_mode,
        enabled=new.enabled,
        config_json=new.config_json,
        reported_status="inactive",
        created_on=now,
        updated_on=now,
        user_id=actor.user_id,
    )
    db.session.add(instance)
    db.session.flush()
    _discover(actor, instance, make_events=new.auto_create_events)
    return instance


def _discover(actor: Actor, instance: PluginInstance, *, make_events: bool) -> None:
    """Add the channels of the driver that the instance does not have yet."""
    config = queries.config_of(instance)
    try:
        found = drivers.channels(instance.plugin_id, instance.instance_name, instance.demo_mode, config)
    except drivers.DriverError as refused:
        raise Invalid({"config_json": str(refused)}) from refused
    present = {mapping.channel_id for mapping in instance.channel_mappings}
    for channel in found or ():
        if channel.id not in present:
            _add_discovered(actor, instance, channel, make_events)
    _refresh_sources(instance.channel_mappings)


def _add_discovered(actor: Actor, instance: PluginInstance, channel: drivers.Channel, make_event: bool) -> None:
    event, made = None, False
    if make_event:
        name = f"{instance.instance_name} – {channel.name}"[:255]
        event = event_queries.by_name(actor, name)
        if event is None:
            made = True
            event = events.create(
                actor,
                EventIn(
                    name=name,
                    type=EVENT_TYPES[Direction(channel.direction)],
                    unit=channel.unit or "–",
                    min_value=channel.min_value,
                    max_value=channel.max_value,
                ),
            )
    instance.channel_mappings.append(
        ChannelMapping(
            public_id=new_id("chn"),
            channel_id=channel.id,
            channel_name=channel.name,
            direction=channel.direction,
            unit=channel.unit or "–",
            event=event,
            made_event=made,
            created_on=clock.now(),
        )
    )
    db.session.flush()


def change(actor: Actor, public_id: str, patch: InstancePatch) -> PluginInstance:
    """Change an instance; the agent applies it at its next look. New channels of a new configuration are added."""
    authorize(actor, Can.MANAGE_PLUGINS)
    instance = queries.get(actor, public_id)
    changes = patch.changes()
    if "instance_name" in changes and queries.name_is_taken(actor, changes["instance_name"], besides=instance.id):
        raise Conflict("Plugin instance already exists.")
    for field, value in changes.items():
        setattr(instance, field, value)
    if db.session.is_modified(instance):  # a form sends every field, also those that stay
        instance.updated_on = clock.now()
    db.session.flush()
    if "config_json" in changes:
        _discover(actor, instance, make_events=True)
    _refresh_sources(instance.channel_mappings)
    return instance


def remove(actor: Actor, public_id: str, *, purge: bool) -> None:
    """Delete an instance. Its events and their data stay, unless `purge` asks for those that it alone made and uses."""
    authorize(actor, Can.MANAGE_PLUGINS)
    instance = queries.get(actor, public_id)
    mappings = list(instance.channel_mappings)
    own = {m.event_public_id for m in mappings if m.made_event and m.event is not None and _is_alone(m)}
    linked = [m.event_id for m in mappings if m.event_id is not None]
    db.session.execute(delete(PluginInstance).where(PluginInstance.id == instance.id))
    db.session.expire_all()
    for event_id in linked:
        _refresh_source(event_id)
    if purge:
        for event_public_id in own:
            events.remove(actor, event_public_id or "")


def _is_alone(mapping: ChannelMapping) -> bool:
    links = queries.links_of(mapping.event_id or 0)
    return all(link.plugin_instance_id == mapping.plugin_instance_id for link in links)


def report(actor: Actor, public_id: str, said: StatusIn) -> None:
    """Keep what the agent says about an instance."""
    authorize(actor, Can.REPORT_PLUGINS)
    instance = queries.get(actor, public_id, Can.REPORT_PLUGINS)
    values = {"reported_status": said.status, "error_message": said.error_message, "reported_on": clock.now()}
    # past the ORM: a sign of life is not a change of the instance and does not touch `updated_on`
    db.session.execute(update(PluginInstance).where(PluginInstance.id == instance.id).values(values))


# --- channels ---------------------------------------------------------------------------------------------------------


def add_mapping(actor: Actor, instance_id: str, new: MappingIn) -> ChannelMapping:
    """Add a channel by hand."""
    authorize(actor, Can.MANAGE_PLUGINS)
    instance = queries.get(actor, instance_id)
    if any(m.channel_id == new.channel_id for m in instance.channel_mappings):
        raise Conflict("Channel mapping already exists.")
    mapping = ChannelMapping(
        public_id=new_id("chn"),
        channel_id=new.channel_id,
        channel_name=new.channel_name,
        direction=new.direction,
        unit=new.unit,
        made_event=False,
        created_on=clock.now(),
    )
    instance.channel_mappings.append(mapping)
    _link(actor, mapping, new.event_public_id)
    return mapping


def change_mapping(actor: Actor, instance_id: str, mapping_id: str, patch: MappingPatch) -> ChannelMapping:
    """Link a channel to an event, or unlink it."""
    authorize(actor, Can.MANAGE_PLUGINS)
    mapping = queries.get_mapping(actor, instance_id, mapping_id)
    if "event_public_id" in patch.model_fields_set:
        _link(actor, mapping, patch.event_public_id)
    return mapping


def _link(actor: Actor, mapping: ChannelMapping, event_public_id: str | None) -> None:
    event = None
    if event_public_id is not None:
        event = event_queries.by_public_ids(actor, [event_public_id]).get(event_public_id)
        if event is None:
            raise NotFound("Event")
    before = mapping.event_id
    if event is None or event.id != before:
        mapping.made_event = False
    mapping.event = event
    db.session.flush()
    if before is not None:
        _refresh_source(before)
    _refresh_sources([mapping])


def remove_mapping(actor: Actor, instance_id: str, mapping_id: str) -> None:
    """Delete a channel; a linked event stays with its data."""
    authorize(actor, Can.MANAGE_PLUGINS)
    mapping = queries.get_mapping(actor, instance_id, mapping_id)
    event_id = mapping.event_id
    db.session.execute(delete(ChannelMapping).where(ChannelMapping.id == mapping.id))
    db.session.expire_all()
    if event_id is not None:
        _refresh_source(event_id)


# --- what the events know of their sources ----------------------------------------------------------------------------


def _refresh_sources(mappings: Iterable[ChannelMapping]) -> None:
    for event_id in sorted({m.event_id for m in mappings if m.event_id is not None}):
        _refresh_source(event_id)


def _refresh_source(event_id: int) -> None:
    links = queries.links_of(event_id)
    enabled = [link for link in links if link.instance.enabled]
    intervals = [_poll_ms(queries.config_of(link.instance)) for link in enabled if link.direction != Direction.OUTPUT]
    events.set_source(event_id, is_accepting=not links or bool(enabled), interval_ms=min(intervals, default=None))


def _poll_ms(config: Mapping[str, Any]) -> int:
    """How often an instance sends; a value that no driver has checked (it is not installed here) may be anything."""
    try:
        wanted = int(config.get("poll_interval_ms") or DEFAULT_POLL_MS)
    except (TypeError, ValueError, OverflowError):
        return DEFAULT_POLL_MS
    return min(max(1, wanted), LONGEST_POLL_MS)
