"""Configuring, connecting and disconnecting an instance, and bringing its outputs to their safe values."""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from webmacs_plugins_core.channels import ChannelDescriptor
from webmacs_plugins_core.config import PluginInstanceConfig, validated_config
from webmacs_plugins_core.demo import DemoSignals
from webmacs_plugins_core.errors import (
    ChannelNotFoundError,
    PluginConfigError,
    PluginConnectionError,
    PluginError,
    PluginStateError,
)
from webmacs_plugins_core.health import FailureRecord, HealthReport
from webmacs_plugins_core.meta import PluginMeta
from webmacs_plugins_core.states import CONNECTABLE, ONLINE, PluginState

logger = logging.getLogger(__name__)

Clock = Callable[[], float]


class PluginLifecycle(ABC):
    """The part of a device plugin that holds its state; drivers derive from DevicePlugin or SyncDevicePlugin."""

    meta: ClassVar[PluginMeta]
    config_schema: ClassVar[type[PluginInstanceConfig]] = PluginInstanceConfig
    #: Seconds after which connecting or disconnecting counts as failed.
    connect_timeout_seconds: ClassVar[float] = 30.0

    #: Set by ``configure()``, an object of ``config_schema``.
    config: PluginInstanceConfig

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        self.instance_id = ""
        #: Tries to reconnect since the device last answered.
        self.reconnect_attempts = 0
        self._clock = clock
        self._state = PluginState.DISCOVERED
        self._channels: dict[str, ChannelDescriptor] = {}
        self._signals = DemoSignals("", [])
        self._failures = FailureRecord()
        self._written: dict[str, float] = {}
        self._lifecycle = asyncio.Lock()
        self._opened = False
        self._safe_values_due = False

    @abstractmethod
    def get_channels(self) -> list[ChannelDescriptor]:
        """The channels of this instance; ``self.config`` is set, nothing is connected yet."""

    @abstractmethod
    async def _do_connect(self) -> None:
        """Open the device; raise to say that it failed."""

    @abstractmethod
    async def _do_disconnect(self) -> None:
        """Close the device; must work on a half-open one."""

    def _demo_connect(self) -> None:  # noqa: B027 - most drivers have nothing to prepare
        """Prepare the simulation; called instead of ``_do_connect`` in demo mode."""

    @abstractmethod
    async def apply_safe_values(self) -> bool:
        """Set every output that has a safe value to it; True when all of them were taken."""

    @property
    def state(self) -> PluginState:
        """Where the instance stands in its life cycle."""
        return self._state

    @property
    def is_online(self) -> bool:
        """Whether reading and writing are possible."""
        return self._state in ONLINE

    @property
    def demo_mode(self) -> bool:
        """Whether values are simulated and no hardware is touched."""
        return self._state is not PluginState.DISCOVERED and self.config.demo_mode

    @property
    def poll_interval_seconds(self) -> float:
        """Seconds between two readings of all inputs, as configured."""
        return self.config.poll_interval_ms / 1000

    @property
    def channels(self) -> list[ChannelDescriptor]:
        """The channels of the configured instance, in the driver's order."""
        return list(self._channels.values())

    def channel(self, channel_id: str) -> ChannelDescriptor:
        """One channel; raises ChannelNotFoundError."""
        try:
            return self._channels[channel_id]
        except KeyError:
            raise ChannelNotFoundError(self.meta.id, channel_id) from None

    def configure(self, config: Mapping[str, Any] | str | None = None) -> None:
        """Take a configuration (mapping, JSON text or None for the defaults) and build the channel table.

        Raises PluginConfigError, and PluginStateError while connected; the instance is then as it was before.
        """
        if self._state not in CONNECTABLE | {PluginState.DISCOVERED}:
            raise PluginStateError(self.meta.id, f"cannot be configured while {self._state}")
        before = self.__dict__.get("config")
        self.config = validated_config(self.meta.id, self.config_schema, config)
        try:
            channels = self._channel_table()
        except Exception:
            if before is not None:
                self.config = before
            raise
        self._channels = channels
        self._signals = DemoSignals(self.config.instance_name or self.meta.id, channels.values())
        self._state = PluginState.CONFIGURED

    def _channel_table(self) -> dict[str, ChannelDescriptor]:
        try:
            channels = self.get_channels()
        except PluginError:
            raise
        except Exception as error:
            raise PluginConfigError(self.meta.id, f"the channels cannot be listed: {describe(error)}") from error
        table = {channel.id: channel for channel in channels}
        if len(table) < len(channels):
            raise PluginConfigError(self.meta.id, "two channels have the same id")
        for channel in channels:
            for conversion in (channel.read_conversion, channel.write_conversion):
                if not conversion.is_known:
                    logger.warning("[%s] %s: unknown conversion %r", self.meta.id, channel.id, conversion.type)
        return table

    async def connect(self) -> None:
        """Connect; in demo mode the hardware is left alone.

        Raises PluginStateError unless configured, disconnected or failed, and PluginConnectionError when the device
        cannot be reached. Safe values that could not be written when the instance failed are written first.
        """
        await self._connect_from(CONNECTABLE)

    async def reconnect(self) -> None:
        """Connect a failed instance again; PluginStateError when it was disconnected on purpose meanwhile."""
        await self._connect_from(frozenset({PluginState.ERROR}))

    async def _connect_from(self, states: frozenset[PluginState]) -> None:
        async with self._lifecycle:
            if self._state not in states:
                raise PluginStateError(self.meta.id, f"cannot connect while {self._state}")
            self._state = PluginState.CONNECTING
            try:
                await self._open()
            except asyncio.CancelledError:
                self._state = PluginState.ERROR
                raise
            except Exception as error:
                self._state = PluginState.ERROR
                text = f"connecting failed: {describe(error)}"
                self._failures.failed(text)
                raise PluginConnectionError(self.meta.id, text) from error
            self._failures.connected()
            self._state = PluginState.CONNECTED

    async def _open(self) -> None:
        if self.config.demo_mode:
            self._demo_connect()
        else:
            await self._close()
            self._opened = True
            async with asyncio.timeout(self.connect_timeout_seconds):
                await self._do_connect()
        if self._safe_values_due and not await self.apply_safe_values():
            raise PluginError(self.meta.id, "the safe values could not be written")

    async def disconnect(self) -> None:
        """Bring the outputs to their safe values and close the device. Never raises; calling it again does nothing."""
        async with self._lifecycle:
            was = self._state
            self._state = PluginState.DISCONNECTING
            try:
                if was in ONLINE or was is PluginState.ERROR:
                    await self.apply_safe_values()
                await self._close()
            finally:
                self._state = PluginState.DISCONNECTED

    async def _close(self) -> None:
        """Close the device if it was ever opened; what goes wrong is only logged."""
        if not self._opened:
            return
        try:
            async with asyncio.timeout(self.connect_timeout_seconds):
                await self._do_disconnect()
        except Exception as error:  # noqa: BLE001 - a driver may raise anything, and disconnecting has to end
            logger.warning("[%s] disconnecting %s: %s", self.meta.id, self.instance_id, describe(error))
        self._opened = False

    async def _fail(self) -> None:
        """The device is lost: leave the connected state and bring what still answers to its safe values."""
        self._state = PluginState.ERROR
        logger.error("[%s] %s failed: %s", self.meta.id, self.instance_id, self._failures.last_error)
        async with self._lifecycle:
            if self._state is PluginState.ERROR:
                await self.apply_safe_values()

    async def health_check(self) -> HealthReport:
        """The instance's health now; drivers may override it to ask the device."""
        failures = self._failures
        holds = self._state is PluginState.ERROR or failures.consecutive > 0
        configured = self._state is not PluginState.DISCOVERED
        return HealthReport(
            plugin_id=self.meta.id,
            instance_id=self.instance_id,
            instance_name=self.config.instance_name if configured else "",
            state=self._state,
            error_count=failures.total,
            last_error=failures.last_error,
            last_error_at=failures.last_error_at,
            current_error=failures.last_error if holds else None,
            channel_count=len(self._channels),
            demo_mode=self.demo_mode,
            reconnect_attempts=self.reconnect_attempts,
        )


def describe(error: BaseException) -> str:
    """An exception in words; some, like a timeout, have no text of their own."""
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    if isinstance(error, PluginError):
        return error.message
    return str(error) or type(error).__name__
