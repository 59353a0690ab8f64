"""The device drivers installed on this host, found by the entry-point group `webmacs.plugins`."""

from dataclasses import dataclass
from typing import Any

from webmacs_plugins_core import PluginError, channels_of, discover


class DriverError(Exception):
    """A driver cannot be used with this configuration; the message says why."""


@dataclass(frozen=True)
class Driver:
    """What a driver says about itself."""

    id: str
    name: str
    version: str
    vendor: str
    description: str
    url: str


@dataclass(frozen=True)
class Channel:
    """One input or output of a configured driver."""

    id: str
    name: str
    direction: str
    unit: str
    min_value: float
    max_value: float


def installed() -> list[Driver]:
    """The usable drivers, in the order of their ids; broken ones are logged by the SDK and left out."""
    metas = [plugin.meta for _, plugin in sorted(discover().classes.items())]
    return [Driver(m.id, m.name, m.version, m.vendor, m.description, m.url) for m in metas]


def channels(plugin_id: str, instance_name: str, demo_mode: bool, config: dict[str, Any]) -> list[Channel] | None:
    """The channels of a driver with this configuration, None when no such driver is installed.

    Nothing is connected. Raises `DriverError` when the driver refuses the configuration.
    """
    plugin_class = discover().classes.get(plugin_id)
    if plugin_class is None:
        return None
    try:
        found = channels_of(plugin_class, {**config, "instance_name": instance_name[:100], "demo_mode": demo_mode})
    except PluginError as refused:
        raise DriverError(str(refused)) from refused
    except Exception as broken:
        # a driver is somebody else's code: whatever it raises is its own fault
        raise DriverError(f"The driver failed: {broken}") from broken
    return [Channel(c.id, c.name, c.direction.value, c.unit, c.min_value, c.max_value) for c in found]
