"""The tests every driver should pass, run in demo mode without hardware.

In a driver's test suite::

    from webmacs_plugins_core.conformance import ConformanceSuite

    class TestConformance(ConformanceSuite):
        plugin_class = MyPlugin
"""
# ruff: noqa: S101 - these are tests, which pytest collects in the author's own suite

import asyncio
from typing import Any, ClassVar

from webmacs_plugins_core.channels import ChannelDescriptor, ChannelDirection
from webmacs_plugins_core.meta import PluginMeta
from webmacs_plugins_core.plugin import DevicePlugin
from webmacs_plugins_core.states import PluginState


class ConformanceSuite:
    """Inherit from it in a class named ``Test…`` and set ``plugin_class``, and ``config`` where values are required."""

    plugin_class: ClassVar[type[DevicePlugin]]
    config: ClassVar[dict[str, Any]] = {}

    def make_plugin(self) -> DevicePlugin:
        """A configured plugin in demo mode."""
        plugin = self.plugin_class()
        plugin.configure({**self.config, "instance_name": "conformance", "demo_mode": True})
        return plugin

    def _outputs(self, plugin: DevicePlugin) -> list[ChannelDescriptor]:
        return [channel for channel in plugin.channels if channel.is_output]

    def test_meta_is_a_plugin_meta(self) -> None:
        """Discovery refuses anything else."""
        assert isinstance(self.plugin_class.meta, PluginMeta)

    def test_meta_has_an_id_a_name_and_a_version(self) -> None:
        """The three fields that are shown and stored."""
        meta = self.plugin_class.meta
        assert meta.id
        assert meta.name
        assert meta.version

    def test_the_id_is_lower_case_without_spaces(self) -> None:
        """Ids appear in addresses and in configuration."""
        plugin_id = self.plugin_class.meta.id
        assert plugin_id == plugin_id.lower()
        assert not any(character.isspace() for character in plugin_id)

    def test_there_is_at_least_one_channel(self) -> None:
        """A driver without channels does nothing."""
        assert self.make_plugin().channels

    def test_every_direction_is_valid(self) -> None:
        """Directions decide what the interface offers."""
        assert all(channel.direction in set(ChannelDirection) for channel in self.make_plugin().channels)

    def test_channel_ids_are_unique(self) -> None:
        """A value belongs to a channel by its id alone."""
        ids = [channel.id for channel in self.make_plugin().get_channels()]
        assert len(ids) == len(set(ids))

    def test_every_channel_has_a_unit(self) -> None:
        """A number without a unit cannot be read."""
        assert [channel.id for channel in self.make_plugin().channels if not channel.unit] == []

    def test_it_connects_and_disconnects(self) -> None:
        """The plain life cycle."""

        async def cycle() -> None:
            plugin = self.make_plugin()
            await plugin.connect()
            online = plugin.state
            await plugin.disconnect()
            assert (online, plugin.state) == (PluginState.CONNECTED, PluginState.DISCONNECTED)

        asyncio.run(cycle())

    def test_disconnecting_twice_is_safe(self) -> None:
        """Shutting down may come from two sides."""

        async def cycle() -> None:
            plugin = self.make_plugin()
            await plugin.connect()
            await plugin.disconnect()
            await plugin.disconnect()
            assert plugin.state is PluginState.DISCONNECTED

        asyncio.run(cycle())

    def test_every_input_has_a_value_in_demo_mode(self) -> None:
        """A demo shows something on every channel."""

        async def cycle() -> None:
            plugin = self.make_plugin()
            await plugin.connect()
            values = {channel.id: await plugin.read(channel.id) for channel in plugin.channels if channel.is_input}
            await plugin.disconnect()
            assert [channel_id for channel_id, value in values.items() if value is None] == []

        asyncio.run(cycle())

    def test_every_output_takes_a_value_in_demo_mode(self) -> None:
        """Both ends of the range are accepted, and nothing beyond."""

        async def cycle() -> None:
            plugin = self.make_plugin()
            await plugin.connect()
            for channel in self._outputs(plugin):
                assert await plugin.write(channel.id, channel.min_value) == channel.min_value
                assert await plugin.write(channel.id, channel.max_value + 1) == channel.max_value
            await plugin.disconnect()

        asyncio.run(cycle())

    def test_the_safe_values_are_applied_on_disconnecting(self) -> None:
        """Stopping leaves the outputs where they do no harm."""

        async def cycle() -> None:
            plugin = self.make_plugin()
            await plugin.connect()
            for channel in self._outputs(plugin):
                await plugin.write(channel.id, channel.max_value)
            await plugin.disconnect()
            guarded = [channel for channel in self._outputs(plugin) if channel.safe_value is not None]
            safe = {channel.id: channel.safe_value for channel in guarded}
            assert {channel_id: plugin.written[channel_id] for channel_id in safe} == safe

        asyncio.run(cycle())

    def test_a_connected_instance_is_healthy(self) -> None:
        """The report that the agent passes on."""

        async def cycle() -> None:
            plugin = self.make_plugin()
            await plugin.connect()
            report = await plugin.health_check()
            await plugin.disconnect()
            assert report.is_healthy
            assert report.plugin_id == self.plugin_class.meta.id
            assert report.channel_count == len(plugin.channels)

        asyncio.run(cycle())
