"""The channels of the system monitor; the ranges are this host's where they are known."""

from collections.abc import Callable

from webmacs_plugins_core import ChannelDescriptor, ChannelDirection, SimulationSpec

from webmacs_plugin_system import host


def system_channels(disk_path: str) -> list[ChannelDescriptor]:
    """All channels, with the memory and the file system of this host as upper ends of their ranges."""
    memory = _size(host.memory_total_gb, 128)
    disk = _size(lambda: host.disk_total_gb(disk_path), 10_000)
    busiest = max(4.0, 4.0 * host.processor_count())
    return [
        _channel("cpu_percent", "CPU usage", "%", 100, _wave(35, 20, 45, 3)),
        _channel("memory_percent", "Memory usage", "%", 100, _wave(55, 8, 180, 0.5)),
        _channel("memory_used_gb", "Memory used", "GB", memory, _wave(0.55 * memory, 0.08 * memory, 180)),
        _channel("disk_percent", "Disk usage", "%", 100, _wave(42, 1, 600)),
        _channel("disk_used_gb", "Disk used", "GB", disk, _wave(0.42 * disk, 0.01 * disk, 600)),
        _channel("load_avg_1m", "Load average (1 min)", "load", busiest, _wave(1.0, 0.5, 120, 0.05)),
        _channel("cpu_temp", "CPU temperature", "°C", 110, _wave(52, 8, 90, 0.4)),
        _channel("net_received_kb_s", "Network received", "kB/s", 125_000, _wave(300, 250, 40, 30)),
        _channel("net_sent_kb_s", "Network sent", "kB/s", 125_000, _wave(120, 100, 55, 15)),
        _channel("disk_read_kb_s", "Disk read", "kB/s", 500_000, _wave(800, 600, 70, 60)),
        _channel("disk_written_kb_s", "Disk written", "kB/s", 500_000, _wave(900, 700, 35, 60)),
        _channel("uptime_h", "Uptime", "h", 8760, SimulationSpec(profile="constant", base_value=72)),
    ]


def _channel(channel_id: str, name: str, unit: str, maximum: float, simulation: SimulationSpec) -> ChannelDescriptor:
    return ChannelDescriptor(
        id=channel_id,
        name=name,
        direction=ChannelDirection.INPUT,
        unit=unit,
        min_value=0,
        max_value=maximum,
        simulation=simulation,
    )


def _wave(base: float, amplitude: float, period_seconds: float, noise: float = 0) -> SimulationSpec:
    return SimulationSpec(base_value=base, amplitude=amplitude, period_seconds=period_seconds, noise=noise)


def _size(measure: Callable[[], float], otherwise: float) -> float:
    """A size of this host in GB with one decimal, or a generous one where it cannot be told."""
    try:
        size = round(measure(), 1)
    except Exception:  # noqa: BLE001 - psutil raises different things on different systems
        return otherwise
    return size if size > 0 else otherwise
