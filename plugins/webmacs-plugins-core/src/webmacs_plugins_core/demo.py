"""Demo mode: simulated inputs, and outputs that remember what was written to them."""

from collections.abc import Iterable

from webmacs_plugins_core.channels import ChannelDescriptor
from webmacs_plugins_core.simulation import SimulatedSignal, default_simulation


class DemoSignals:
    """The simulated signals of one instance. Their noise is seeded, so that a demo can be repeated."""

    def __init__(self, seed: str, channels: Iterable[ChannelDescriptor]) -> None:
        self._signals: dict[str, SimulatedSignal] = {}
        for channel in channels:
            spec = channel.simulation or default_simulation(channel.min_value, channel.max_value)
            key = f"{seed}/{channel.id}"
            self._signals[channel.id] = SimulatedSignal(spec, channel.min_value, channel.max_value, key)

    def value(self, channel_id: str, now: float) -> float:
        """The engineering value of a channel at ``now`` (monotonic seconds); it takes no conversion."""
        return self._signals[channel_id].value(now)
