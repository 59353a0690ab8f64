"""Questions about a plugin class that need no connection: its channels and the form of its configuration."""

from collections.abc import Mapping
from typing import Any

from webmacs_plugins_core.channels import ChannelDescriptor
from webmacs_plugins_core.config import validated_config
from webmacs_plugins_core.errors import PluginError, PluginLoadError
from webmacs_plugins_core.plugin import DevicePlugin


def new_plugin(plugin_class: type[DevicePlugin]) -> DevicePlugin:
    """An unconfigured object of the class; raises PluginLoadError when its constructor fails."""
    try:
        return plugin_class()
    except PluginError:
        raise
    except Exception as error:
        raise PluginLoadError(plugin_class.meta.id, f"cannot be instantiated: {error}") from error


def channels_of(
    plugin_class: type[DevicePlugin], config: Mapping[str, Any] | str | None = None
) -> list[ChannelDescriptor]:
    """The channels that an instance with this configuration has. Nothing is connected.

    Raises PluginConfigError (its ``fields`` name what is wrong) and PluginLoadError.
    """
    plugin = new_plugin(plugin_class)
    plugin.configure(config)
    return plugin.channels


def checked_config(plugin_class: type[DevicePlugin], config: Mapping[str, Any] | str | None) -> dict[str, Any]:
    """The configuration with its defaults filled in, as plain JSON types; raises PluginConfigError."""
    return validated_config(plugin_class.meta.id, plugin_class.config_schema, config).model_dump(mode="json")


def config_json_schema(plugin_class: type[DevicePlugin]) -> dict[str, Any]:
    """JSON Schema of the configuration with ``properties`` in form order (``ui_order``, then as declared).

    Properties marked ``ui_managed`` (name, demo mode) belong to the instance itself and are not asked for in such a
    form.
    """
    schema = plugin_class.config_schema.model_json_schema()
    properties: dict[str, dict[str, Any]] = schema.get("properties", {})
    ordered = sorted(properties.items(), key=lambda item: item[1].get("ui_order", 500))
    return {**schema, "properties": dict(ordered)}
