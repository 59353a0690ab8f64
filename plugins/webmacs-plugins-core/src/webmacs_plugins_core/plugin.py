"""The base class of asynchronous drivers: reading, writing, safe values."""

import asyncio
import logging
import math
from abc import abstractmethod
from typing import ClassVar

from webmacs_plugins_core.channels import ChannelDescriptor
from webmacs_plugins_core.errors import (
    ChannelValueError,
    PluginDriverError,
    PluginError,
    PluginStateError,
    PluginTimeoutError,
)
from webmacs_plugins_core.lifecycle import PluginLifecycle, describe

logger = logging.getLogger(__name__)

# A device that reported this many failures in a row, and at least one per channel, is taken for lost.
MINIMUM_FAILURES = 3

# Once one safe value timed out, the device has probably gone; the others get only this long.
HURRIED_SECONDS = 1.0


class DevicePlugin(PluginLifecycle):
    """A driver whose device is spoken to with ``async`` calls.

    Define ``meta``, ``get_channels``, ``_do_connect``, ``_do_disconnect``, ``_do_read`` and ``_do_write``; the last
    two deal in raw values, conversions are applied here. ``_demo_connect``, ``_demo_read`` and ``_demo_write`` may be
    overridden to simulate better than the channels' signals do; they deal in engineering values.
    """

    #: Seconds after which one read or write counts as failed.
    io_timeout_seconds: ClassVar[float] = 10.0

    @abstractmethod
    async def _do_read(self, channel_id: str) -> float | None:
        """The raw value of a channel, None when it has none; raise to say that reading failed."""

    @abstractmethod
    async def _do_write(self, channel_id: str, value: float) -> None:
        """Send a raw value to an output; raise to say that writing failed."""

    def _demo_read(self, channel: ChannelDescriptor) -> float | None:
        """The engineering value of a channel in demo mode; an output shows what was last written to it."""
        if channel.is_output and channel.id in self._written:
            return self._written[channel.id]
        return self._signals.value(channel.id, self._clock())

    def _demo_write(self, channel: ChannelDescriptor, value: float) -> None:
        """Take an engineering value in demo mode: it is only logged."""
        logger.info("[%s] demo: %s would be set to %g %s", self.meta.id, channel.id, value, channel.unit)

    @property
    def written(self) -> dict[str, float]:
        """The engineering values last accepted by the outputs, by channel id."""
        return dict(self._written)

    async def read(self, channel_id: str) -> float | None:
        """The engineering value of a channel.

        None when the device has none, when reading failed (counted, see ``health_check``), when the value is not
        finite, and while the instance is not connected. Raises ChannelNotFoundError.
        """
        channel = self.channel(channel_id)
        if not self.is_online:
            return None
        try:
            value = await self._take(channel)
        except Exception as error:  # noqa: BLE001 - a driver may raise anything, and polling has to go on
            await self._failed(f"reading {channel_id}: {describe(error)}")
            return None
        self._answered()
        return value if value is not None and math.isfinite(value) else None

    async def _take(self, channel: ChannelDescriptor) -> float | None:
        if self.demo_mode:
            return self._demo_read(channel)
        async with asyncio.timeout(self.io_timeout_seconds):
            raw = await self._do_read(channel.id)
        return None if raw is None else channel.read_conversion.apply(float(raw))

    async def read_all_inputs(self) -> dict[str, float | None]:
        """The values of all inputs by channel id, in the driver's order; drivers may override it with one request."""
        return {channel.id: await self.read(channel.id) for channel in self.channels if channel.is_input}

    async def write(self, channel_id: str, value: float) -> float:
        """Set an output; returns the engineering value that was really set, limited to the channel's range.

        Raises ChannelNotFoundError, PluginStateError (not connected, or an input), ChannelValueError (not finite),
        PluginTimeoutError and PluginDriverError.
        """
        channel = self.channel(channel_id)
        if not channel.is_output:
            raise PluginStateError(self.meta.id, f"channel {channel_id!r} is read-only")
        if not self.is_online:
            raise PluginStateError(self.meta.id, f"cannot be written while {self.state}")
        if not math.isfinite(value):
            raise ChannelValueError(self.meta.id, f"{value} cannot be written to {channel_id!r}")
        try:
            applied = await self._put(channel, value, self.io_timeout_seconds)
        except Exception as error:
            text = f"writing {channel_id}: {describe(error)}"
            await self._failed(text)
            if isinstance(error, PluginError):
                raise
            kind = PluginTimeoutError if isinstance(error, TimeoutError) else PluginDriverError
            raise kind(self.meta.id, text) from error
        self._answered()
        return applied

    async def _put(self, channel: ChannelDescriptor, value: float, seconds: float) -> float:
        """Limit, convert and send one value, whatever the state; the same way for set-points and safe values."""
        applied = channel.clamp(value)
        if self.demo_mode:
            self._demo_write(channel, applied)
        else:
            raw = channel.write_conversion.invert(applied)
            async with asyncio.timeout(seconds):
                await self._do_write(channel.id, raw)
        self._written[channel.id] = applied
        return applied

    async def apply_safe_values(self) -> bool:
        """Set every output that has a safe value to it; True when all were taken.

        Failures are logged. Values that a failed instance did not take are due at the next connection.
        """
        seconds = self.io_timeout_seconds
        complete = True
        for channel in self.channels:
            if not channel.is_output or channel.safe_value is None:
                continue
            try:
                await self._put(channel, channel.safe_value, seconds)
            except Exception as error:  # noqa: BLE001 - the other outputs have to become safe all the same
                logger.error("[%s] safe value of %s not written: %s", self.meta.id, channel.id, describe(error))  # noqa: TRY400 - the text says it
                complete = False
                if isinstance(error, TimeoutError):
                    seconds = min(seconds, HURRIED_SECONDS)
        self._safe_values_due = not complete
        return complete

    def _answered(self) -> None:
        self._failures.succeeded()
        self.reconnect_attempts = 0

    async def _failed(self, message: str) -> None:
        self._failures.failed(message)
        logger.warning("[%s] %s %s", self.meta.id, self.instance_id, message)
        if self.is_online and self._failures.consecutive >= max(MINIMUM_FAILURES, len(self._channels)):
            await self._fail()
