"""The instances that one process runs."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, TypedDict

from webmacs_plugins_core.errors import PluginLoadError
from webmacs_plugins_core.health import HealthReport
from webmacs_plugins_core.inspection import new_plugin
from webmacs_plugins_core.plugin import DevicePlugin


class InputValue(TypedDict):
    """One measured value."""

    instance_id: str
    channel_id: str
    value: float


class Registry:
    """Creates, holds and drives instances; classes usually come from ``discover().classes``."""

    def __init__(self, classes: Mapping[str, type[DevicePlugin]] | None = None) -> None:
        self._classes: dict[str, type[DevicePlugin]] = dict(classes or {})
        self._instances: dict[str, DevicePlugin] = {}

    @property
    def classes(self) -> dict[str, type[DevicePlugin]]:
        """The plugin classes that instances can be made of, by plugin id."""
        return dict(self._classes)

    def register(self, plugin_class: type[DevicePlugin]) -> None:
        """Add a class, or replace the one of the same id; existing instances stay what they are."""
        self._classes[plugin_class.meta.id] = plugin_class

    def __iter__(self) -> Iterator[DevicePlugin]:
        return iter(list(self._instances.values()))

    def __len__(self) -> int:
        return len(self._instances)

    def __contains__(self, instance_id: object) -> bool:
        return instance_id in self._instances

    def get(self, instance_id: str) -> DevicePlugin:
        """An instance; raises PluginLoadError when there is none of that id."""
        try:
            return self._instances[instance_id]
        except KeyError:
            raise PluginLoadError("registry", f"there is no instance {instance_id!r}") from None

    def create(
        self, plugin_id: str, config: Mapping[str, Any] | str | None = None, instance_id: str | None = None
    ) -> DevicePlugin:
        """Make and configure an instance; without an id it is called ``<plugin>-<n>``.

        Raises PluginLoadError (unknown plugin, id in use) and PluginConfigError.
        """
        plugin_class = self._classes.get(plugin_id)
        if plugin_class is None:
            raise PluginLoadError(plugin_id, "this plugin is not installed")
        if instance_id is not None and instance_id in self._instances:
            raise PluginLoadError(plugin_id, f"there is already an instance {instance_id!r}")
        plugin = new_plugin(plugin_class)
        plugin.instance_id = instance_id or self._free_id(plugin_id)
        plugin.configure(config)
        self._instances[plugin.instance_id] = plugin
        return plugin

    def _free_id(self, plugin_id: str) -> str:
        number = 1
        while f"{plugin_id}-{number}" in self._instances:
            number += 1
        return f"{plugin_id}-{number}"

    async def connect(self, instance_id: str) -> None:
        """Connect an instance; raises PluginConnectionError and PluginStateError."""
        await self.get(instance_id).connect()

    async def disconnect(self, instance_id: str) -> None:
        """Bring an instance to its safe values and disconnect it."""
        await self.get(instance_id).disconnect()

    async def remove(self, instance_id: str) -> None:
        """Disconnect an instance and forget it; nothing happens when there is none."""
        plugin = self._instances.pop(instance_id, None)
        if plugin is not None:
            await plugin.disconnect()

    async def disconnect_all(self) -> None:
        """Disconnect all instances at the same time; a slow device does not keep another one from its safe values."""
        await asyncio.gather(*(plugin.disconnect() for plugin in self))

    async def read(self, instance_id: str, channel_id: str) -> float | None:
        """The engineering value of one channel."""
        return await self.get(instance_id).read(channel_id)

    async def write(self, instance_id: str, channel_id: str, value: float) -> float:
        """Set one output; returns the engineering value that was really set."""
        return await self.get(instance_id).write(channel_id, value)

    async def read_all_inputs(self) -> list[InputValue]:
        """The values of all inputs of all connected instances, without those that have none."""
        online = [plugin for plugin in self if plugin.is_online]
        sweeps = await asyncio.gather(*(plugin.read_all_inputs() for plugin in online))
        return [
            InputValue(instance_id=plugin.instance_id, channel_id=channel_id, value=value)
            for plugin, sweep in zip(online, sweeps, strict=True)
            for channel_id, value in sweep.items()
            if value is not None
        ]

    async def health_reports(self) -> list[HealthReport]:
        """The health of every instance."""
        return list(await asyncio.gather(*(plugin.health_check() for plugin in self)))
