"""Reads of drivers, instances and channels."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, exists, select

from webmacs.core.db import db
from webmacs.core.errors import NotFound
from webmacs.core.identity import Actor
from webmacs.core.paging import Page, PageQuery, paginate
from webmacs.core.permissions import Can, authorize
from webmacs.features.plugins.models import ChannelMapping, PluginInstance
from webmacs.gateways import drivers


def available(actor: Actor) -> list[drivers.Driver]:
    """The drivers installed on this host."""
    authorize(actor, Can.READ)
    return drivers.installed()


def visible(actor: Actor) -> Select[PluginInstance]:
    """The instances of the actor's organization."""
    return select(PluginInstance).where(PluginInstance.organization_id == actor.organization_id)


def find(actor: Actor, query: PageQuery) -> Page[PluginInstance]:
    """Instances in the order of their creation."""
    authorize(actor, Can.READ)
    return paginate(visible(actor).order_by(PluginInstance.id), query)


def everything(actor: Actor) -> Sequence[PluginInstance]:
    """All instances in the order of their creation."""
    authorize(actor, Can.READ)
    return db.session.scalars(visible(actor).order_by(PluginInstance.id)).all()


def get(actor: Actor, public_id: str, can: Can = Can.READ) -> PluginInstance:
    """One instance; `can` is what it is needed for."""
    authorize(actor, can)
    instance = db.session.scalar(visible(actor).where(PluginInstance.public_id == public_id))
    if instance is None:
        raise NotFound("Plugin instance")
    return instance


def get_mapping(actor: Actor, instance_id: str, mapping_id: str) -> ChannelMapping:
    """One channel of this very instance."""
    instance = get(actor, instance_id)
    mapping = next((m for m in instance.channel_mappings if m.public_id == mapping_id), None)
    if mapping is None:
        raise NotFound("Channel mapping", mapping_id)
    return mapping


def name_is_taken(actor: Actor, name: str, *, besides: int | None = None) -> bool:
    """Whether another instance has this name."""
    same = select(PluginInstance.id).where(
        PluginInstance.organization_id == actor.organization_id,
        PluginInstance.instance_name == name,
        PluginInstance.id != (besides or 0),
    )
    return bool(db.session.scalar(select(exists(same))))


def has_any(organization_id: int) -> bool:
    """Whether the organization ever got an instance that still exists."""
    some = select(PluginInstance.id).where(PluginInstance.organization_id == organization_id)
    return bool(db.session.scalar(select(exists(some))))


def links_of(event_id: int) -> Sequence[ChannelMapping]:
    """The channels that are linked to an event."""
    return db.session.scalars(select(ChannelMapping).where(ChannelMapping.event_id == event_id)).all()


def config_of(instance: PluginInstance) -> dict[str, Any]:
    """The instance's configuration as a dictionary."""
    config = json.loads(instance.config_json) if instance.config_json else {}
    return dict(config)
