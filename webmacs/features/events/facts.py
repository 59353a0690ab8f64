"""What happened to channel definitions."""

from dataclasses import dataclass

from webmacs.core.facts import Fact


@dataclass(frozen=True)
class EventsChanged(Fact):
    """Channels were defined, changed or deleted, or their sources switched on or off."""


@dataclass(frozen=True)
class EventDeleted(Fact):
    """A channel is gone; what was recorded for it goes too."""

    event_id: int
    public_id: str
