"""The driver class: which channel is answered by which measurement."""

import time
from collections.abc import Callable

from pydantic import Field
from webmacs_plugins_core import ChannelDescriptor, PluginInstanceConfig, PluginMeta, SyncDevicePlugin

from webmacs_plugin_system import host
from webmacs_plugin_system.channels import system_channels
from webmacs_plugin_system.rates import BusyShare, CounterRate


class SystemConfig(PluginInstanceConfig):
    """What is measured of the host."""

    disk_path: str = Field(
        default="/",
        min_length=1,
        max_length=4096,
        title="Disk path",
        description="The file system that holds this path is the one that is measured.",
        json_schema_extra={"ui_order": 10},
    )
    network_interfaces: list[str] = Field(
        default_factory=list,
        max_length=32,
        title="Network interfaces",
        description="Names of the interfaces that are summed; empty takes all that lead outside.",
        json_schema_extra={"ui_order": 11},
    )


class SystemPlugin(SyncDevicePlugin):
    """Processor, memory, disk, network and temperature of this host. What cannot be measured reads as None."""

    meta = PluginMeta(
        id="system",
        name="System Monitor",
        version="0.1.0",
        vendor="WebMACS",
        description="Processor, memory, disk, network and temperature of the machine the agent runs on.",
        protocol="psutil",
        tags=("host", "monitoring"),
    )
    config_schema = SystemConfig
    config: SystemConfig

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock=clock)
        self._busy = BusyShare()
        self._rates: dict[str, CounterRate] = {}
        self._metrics: dict[str, Callable[[], float | None]] = {
            "cpu_percent": lambda: self._busy.update(*host.processor_seconds()),
            "memory_percent": host.memory_percent,
            "memory_used_gb": host.memory_used_gb,
            "disk_percent": lambda: host.disk_percent(self.config.disk_path),
            "disk_used_gb": lambda: host.disk_used_gb(self.config.disk_path),
            "load_avg_1m": host.load_average,
            "cpu_temp": host.processor_temperature,
            "net_received_kb_s": lambda: self._rate("net_received_kb_s", self._network(), 0),
            "net_sent_kb_s": lambda: self._rate("net_sent_kb_s", self._network(), 1),
            "disk_read_kb_s": lambda: self._rate("disk_read_kb_s", host.disk_kb(), 0),
            "disk_written_kb_s": lambda: self._rate("disk_written_kb_s", host.disk_kb(), 1),
            "uptime_h": host.uptime_hours,
        }

    def get_channels(self) -> list[ChannelDescriptor]:
        """Twelve inputs."""
        return system_channels(self.config.disk_path)

    def connect_sync(self) -> None:
        """Forget the counters of an earlier connection, so that no rate spans the pause."""
        self._busy = BusyShare()
        self._rates = {}

    def disconnect_sync(self) -> None:
        """There is nothing to close."""

    def read_sync(self, channel_id: str) -> float | None:
        """One measurement with three decimals; the first reading of a share or a rate is None."""
        try:
            value = self._metrics[channel_id]()
        except Exception:  # noqa: BLE001 - which metrics raise, and what, differs from system to system
            return None
        return None if value is None else round(value, 3)

    def write_sync(self, channel_id: str, value: float) -> None:
        """Never called: there are no outputs."""
        raise NotImplementedError(f"{channel_id} = {value}: the system monitor has no outputs")

    def _network(self) -> tuple[float, float] | None:
        return host.network_kb(self.config.network_interfaces)

    def _rate(self, channel_id: str, counts: tuple[float, float] | None, index: int) -> float | None:
        rate = self._rates.setdefault(channel_id, CounterRate())
        return rate.update(None if counts is None else counts[index], self._clock())
