"""What can go wrong with a driver; every error knows the plugin it belongs to."""

from collections.abc import Mapping


class PluginError(Exception):
    """Base of all errors of the kit. The text begins with the plugin's id in square brackets."""

    def __init__(self, plugin_id: str, message: str) -> None:
        super().__init__(f"[{plugin_id}] {message}")
        self.plugin_id = plugin_id
        self.message = message


class PluginLoadError(PluginError):
    """The plugin is unknown, or its code cannot be loaded or instantiated."""


class PluginConfigError(PluginError):
    """The configuration is not valid.

    ``fields`` maps the dotted name of each offending field to a sentence, so that a form can put it on the field.
    """

    def __init__(self, plugin_id: str, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(plugin_id, message)
        self.fields: dict[str, str] = dict(fields or {})


class PluginConnectionError(PluginError):
    """The device could not be reached."""


class PluginTimeoutError(PluginError):
    """The device or its driver did not answer in time."""


class PluginDriverError(PluginError):
    """The driver raised something of its own while reading or writing; that exception is the ``__cause__``."""


class ChannelNotFoundError(PluginError):
    """The plugin has no channel of that id."""

    def __init__(self, plugin_id: str, channel_id: str) -> None:
        super().__init__(plugin_id, f"channel {channel_id!r} not found")
        self.channel_id = channel_id


class ChannelValueError(PluginError):
    """The value cannot be written to a channel because it is not a finite number."""


class PluginStateError(PluginError):
    """The call does not fit the plugin's state, or the channel's direction."""
