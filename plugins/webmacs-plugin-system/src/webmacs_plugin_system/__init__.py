"""WebMACS driver that measures the machine it runs on."""

from webmacs_plugin_system.plugin import SystemConfig, SystemPlugin

__version__ = "0.1.0"

__all__ = ["SystemConfig", "SystemPlugin"]
