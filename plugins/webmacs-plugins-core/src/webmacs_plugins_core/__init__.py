"""The kit for WebMACS device drivers. Everything a driver or a host program needs is importable from here."""

from webmacs_plugins_core.channels import ChannelDescriptor, ChannelDirection
from webmacs_plugins_core.config import PluginInstanceConfig, RetryPolicy, config_values, instance_config
from webmacs_plugins_core.conversion import ConversionSpec, known_conversions, register_conversion
from webmacs_plugins_core.discovery import (
    ENTRY_POINT_GROUP,
    DiscoveredPlugin,
    Discovery,
    DiscoveryProblem,
    discover,
    why_unusable,
)
from webmacs_plugins_core.errors import (
    ChannelNotFoundError,
    ChannelValueError,
    PluginConfigError,
    PluginConnectionError,
    PluginDriverError,
    PluginError,
    PluginLoadError,
    PluginStateError,
    PluginTimeoutError,
)
from webmacs_plugins_core.health import HealthReport
from webmacs_plugins_core.inspection import channels_of, checked_config, config_json_schema
from webmacs_plugins_core.meta import PluginMeta
from webmacs_plugins_core.monitor import HealthMonitor
from webmacs_plugins_core.plugin import DevicePlugin
from webmacs_plugins_core.registry import InputValue, Registry
from webmacs_plugins_core.simulation import SimulatedSignal, SimulationSpec
from webmacs_plugins_core.states import InstanceStatus, PluginState
from webmacs_plugins_core.sync import SyncDevicePlugin

__version__ = "1.0.0"

__all__ = [
    "ENTRY_POINT_GROUP",
    "ChannelDescriptor",
    "ChannelDirection",
    "ChannelNotFoundError",
    "ChannelValueError",
    "ConversionSpec",
    "DevicePlugin",
    "DiscoveredPlugin",
    "Discovery",
    "DiscoveryProblem",
    "HealthMonitor",
    "HealthReport",
    "InputValue",
    "InstanceStatus",
    "PluginConfigError",
    "PluginConnectionError",
    "PluginDriverError",
    "PluginError",
    "PluginInstanceConfig",
    "PluginLoadError",
    "PluginMeta",
    "PluginState",
    "PluginStateError",
    "PluginTimeoutError",
    "Registry",
    "RetryPolicy",
    "SimulatedSignal",
    "SimulationSpec",
    "SyncDevicePlugin",
    "channels_of",
    "checked_config",
    "config_json_schema",
    "config_values",
    "discover",
    "instance_config",
    "known_conversions",
    "register_conversion",
    "why_unusable",
]
