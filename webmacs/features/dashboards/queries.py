"""What the overview shows: the channels by their source."""

from collections.abc import Sequence
from dataclasses import dataclass

from webmacs.core.identity import Actor
from webmacs.features.events import queries as events
from webmacs.features.events.models import Event
from webmacs.features.events.schemas import OUTPUTS
from webmacs.features.plugins import queries as plugins
from webmacs.features.plugins.models import PluginInstance

OWN_HOST = "system"  # the driver's id


@dataclass(frozen=True)
class Source:
    """One plugin instance with its channels, or (instance None) the channels that belong to none."""

    instance: PluginInstance | None
    sensors: Sequence[Event]
    outputs: Sequence[Event]


def sources(actor: Actor) -> list[Source]:
    """The channels by source: instances in the order of their creation, what scripts send, and at the end the machine
    that WebMACS runs on, which is seldom what one came to see.
    """
    found: list[Source] = []
    seen: set[int] = set()
    for instance in plugins.everything(actor):
        mine = [m.event for m in instance.channel_mappings if m.event is not None and m.event.id not in seen]
        seen |= {event.id for event in mine}
        found.append(_source(instance, mine))
    rest = [event for event in events.everything(actor) if event.id not in seen]
    if rest:
        found.append(_source(None, rest))
    return sorted(found, key=lambda source: source.instance is not None and source.instance.plugin_id == OWN_HOST)


def _source(instance: PluginInstance | None, channels: Sequence[Event]) -> Source:
    return Source(
        instance,
        [event for event in channels if event.type not in OUTPUTS],
        [event for event in channels if event.type in OUTPUTS],
    )
