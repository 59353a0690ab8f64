"""The base class of drivers whose device library blocks."""

import time
from abc import abstractmethod

from webmacs_plugins_core.driver_thread import DriverThread
from webmacs_plugins_core.lifecycle import Clock
from webmacs_plugins_core.plugin import DevicePlugin


class SyncDevicePlugin(DevicePlugin):
    """A driver written with plain blocking calls.

    They run in a thread that belongs to the instance, one at a time, so that the driver needs no lock of its own and
    neither the event loop nor another instance ever waits for it.
    """

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        super().__init__(clock=clock)
        self._thread = DriverThread(f"webmacs-driver-{self.meta.id}")

    @abstractmethod
    def connect_sync(self) -> None:
        """Open the device; raise to say that it failed."""

    @abstractmethod
    def disconnect_sync(self) -> None:
        """Close the device; must work on a half-open one."""

    @abstractmethod
    def read_sync(self, channel_id: str) -> float | None:
        """The raw value of a channel, None when it has none."""

    @abstractmethod
    def write_sync(self, channel_id: str, value: float) -> None:
        """Send a raw value to an output."""

    async def _do_connect(self) -> None:
        await self._thread.run(self.connect_sync)

    async def _do_disconnect(self) -> None:
        await self._thread.run(self.disconnect_sync)

    async def _do_read(self, channel_id: str) -> float | None:
        return await self._thread.run(self.read_sync, channel_id)

    async def _do_write(self, channel_id: str, value: float) -> None:
        await self._thread.run(self.write_sync, channel_id, value)
