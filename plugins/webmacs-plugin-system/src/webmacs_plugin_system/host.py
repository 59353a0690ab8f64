"""One value each of this host, by psutil. Every function may block a moment, and raise where a metric is missing."""

import os
import time
from collections.abc import Sequence

import psutil

BYTES_PER_GB = 1e9
BYTES_PER_KB = 1e3

# In this order: the sensors that stand for the processor on PCs, Raspberry Pis, other boards and AMD machines.
PREFERRED_SENSORS = ("coretemp", "cpu_thermal", "cpu-thermal", "soc_thermal", "k10temp", "zenpower")

# Loopback carries no outside traffic; bridges and container ends would count the same bytes twice.
UNCOUNTED_INTERFACES = ("lo", "veth", "docker", "br-", "virbr")


def processor_seconds() -> tuple[float, float]:
    """Busy and total seconds of all processors since the start. Waiting for disks counts as idle."""
    times = psutil.cpu_times()
    # Linux counts a guest's time in user and nice as well.
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return total - times.idle - getattr(times, "iowait", 0.0), total


def memory_percent() -> float:
    """Memory in use, percent of the total."""
    return float(psutil.virtual_memory().percent)


def memory_used_gb() -> float:
    """Memory that is not available to programs, GB (10⁹ bytes)."""
    memory = psutil.virtual_memory()
    return (memory.total - memory.available) / BYTES_PER_GB


def memory_total_gb() -> float:
    """Memory of this host, GB."""
    return float(psutil.virtual_memory().total) / BYTES_PER_GB


def disk_percent(path: str) -> float:
    """Space in use on the file system of ``path``, percent of what users can use."""
    return float(psutil.disk_usage(path).percent)


def disk_used_gb(path: str) -> float:
    """Space in use on the file system of ``path``, GB."""
    return psutil.disk_usage(path).used / BYTES_PER_GB


def disk_total_gb(path: str) -> float:
    """Size of the file system of ``path``, GB."""
    return psutil.disk_usage(path).total / BYTES_PER_GB


def load_average() -> float:
    """Mean number of processes that ran or waited for a processor in the last minute."""
    return float(psutil.getloadavg()[0])


def processor_count() -> int:
    """Logical processors."""
    return os.cpu_count() or 1


def processor_temperature() -> float | None:
    """The hottest reading of the preferred sensor, °C; None where the system shows none."""
    if not hasattr(psutil, "sensors_temperatures"):
        return None
    sensors = psutil.sensors_temperatures()
    for name in (*PREFERRED_SENSORS, *sensors):
        readings = [reading.current for reading in sensors.get(name, []) if reading.current is not None]
        if readings:
            return float(max(readings))
    return None


def network_kb(interfaces: Sequence[str]) -> tuple[float, float] | None:
    """kB (10³ bytes) received and sent since the start, over ``interfaces`` or, if empty, over all outside ones."""
    counters = psutil.net_io_counters(pernic=True)
    chosen = [
        counter
        for name, counter in counters.items()
        if (name in interfaces if interfaces else not name.startswith(UNCOUNTED_INTERFACES))
    ]
    if not chosen:
        return None
    received = sum(counter.bytes_recv for counter in chosen)
    return received / BYTES_PER_KB, sum(counter.bytes_sent for counter in chosen) / BYTES_PER_KB


def disk_kb() -> tuple[float, float] | None:
    """kB read from and written to all disks since the start; None where the system does not count."""
    counter = psutil.disk_io_counters()
    return None if counter is None else (counter.read_bytes / BYTES_PER_KB, counter.write_bytes / BYTES_PER_KB)


def uptime_hours() -> float:
    """Hours since the system started."""
    return max(time.time() - psutil.boot_time(), 0.0) / 3600
