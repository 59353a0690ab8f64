"""The states of a plugin instance, and the four of them that cross the API."""

from enum import StrEnum


class PluginState(StrEnum):
    """Where an instance stands in its life cycle."""

    DISCOVERED = "discovered"
    CONFIGURED = "configured"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    #: For drivers that acquire by themselves in the background; the kit treats it as connected.
    RUNNING = "running"
    DISCONNECTING = "disconnecting"
    DISCONNECTED = "disconnected"
    ERROR = "error"


class InstanceStatus(StrEnum):
    """What a server shows of an instance."""

    INACTIVE = "inactive"
    CONNECTED = "connected"
    ERROR = "error"
    DEMO = "demo"


#: Reading and writing is possible in these states.
ONLINE = frozenset({PluginState.CONNECTED, PluginState.RUNNING})

#: ``connect()`` may start from these states.
CONNECTABLE = frozenset({PluginState.CONFIGURED, PluginState.DISCONNECTED, PluginState.ERROR})


def status_of(state: PluginState, *, demo_mode: bool) -> InstanceStatus:
    """The status shown for a state; an instance that works in demo mode says so."""
    if state is PluginState.ERROR:
        return InstanceStatus.ERROR
    if state in ONLINE:
        return InstanceStatus.DEMO if demo_mode else InstanceStatus.CONNECTED
    return InstanceStatus.INACTIVE
