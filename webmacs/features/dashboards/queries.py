"""What the overview shows: the channels by their source."""

from collections.abc import Sequence
from dataclasses import dataclass

from webmacs.core.identity import Actor
from webmacs.features.events import queries as events
from webmacs.features.events.models import Event
from webmacs.features.events.schemas import OUTPUTS
from webmacs.features.plugins import queries as plugins
from webmacs.features.plugins.models import PluginInstance


@dataclass(frozen=True)
class Source:
    """One plugin instance with its channels, or (instance None) the channels that belong to none."""

    instance: PluginInstance | None
    sensors: Sequence[Event]
    outputs: Sequence[Event]


def sources(actor: Actor) -> list[Source]:
    """The channels by source: instances in the order of their creation, then what scripts send."""
    found: list[Source] = []
    seen: set[int] = set()
    for instance in plugins.everything(actor):
        mine = [m.event for m in instance.channel_mappings if m.event is not None and m.event.id not in seen]
        seen |= {event.id for event in mine}
        found.append(_source(instance, mine))
    rest = [event for event in events.everything(actor) if event.id not in seen]
    return [*found, _source(None, rest)] if rest else found


def _source(instance: PluginInstance | None, channels: Sequence[Event]) -> Source:
    return Source(
        instance,
        [event for event in channels if event.type not in OUTPUTS],
        [event for event in channels if event.type in OUTPUTS],
    )
