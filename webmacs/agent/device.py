"""One device behind its plugin: one call at a time, each within a time limit, every failure a `DeviceError`."""

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from webmacs_plugins_core import ChannelDescriptor, DevicePlugin

log = structlog.get_logger(__name__)

SHORTEST_LIMIT = 5.0
LONGEST_LIMIT = 60.0


class DeviceError(Exception):
    """The device or its plugin failed; the text can be shown to a user."""


class Device:
    """Calls a configured plugin. A call that does not end in time is cancelled and counts as failed.

    Times in seconds. Every method raises `DeviceError` unless it says otherwise.
    """

    def __init__(self, plugin: DevicePlugin) -> None:
        self._plugin = plugin
        self._turn = asyncio.Lock()
        self.channels: dict[str, ChannelDescriptor] = {channel.id: channel for channel in plugin.channels}
        self.poll_seconds = plugin.poll_interval_seconds
        self._limit = min(max(SHORTEST_LIMIT, 2 * self.poll_seconds), LONGEST_LIMIT)

    @property
    def demo(self) -> bool:
        """Whether the plugin shows simulated values."""
        return self._plugin.demo_mode

    @property
    def written(self) -> dict[str, float]:
        """What the outputs last accepted, also as safe values that the plugin applied by itself."""
        return self._plugin.written

    def pause(self, attempt: int) -> float:
        """The time before the reconnect number `attempt` (from 1), by the plugin's retry policy.

        After the policy's last attempt the longest delay is kept: a device that was off over night is found again.
        """
        policy = self._plugin.config.retry_policy
        return policy.delay(attempt) if policy.allows(attempt) else policy.max_delay

    async def connect(self) -> None:
        """Open the connection."""
        # The plugin has a limit of its own, once for closing an old connection and once for opening; ours is the net.
        await self._call("connecting", self._plugin.connect, 2 * self._plugin.connect_timeout_seconds + SHORTEST_LIMIT)

    async def read(self) -> dict[str, float]:
        """The inputs that could be read, channel → finite value; the others are missing. Fails when it is lost."""
        raw: dict[str, Any] = await self._call("reading", self._plugin.read_all_inputs, self._limit)
        if not self._plugin.is_online:
            report = await self._call("checking", self._plugin.health_check, self._limit)
            raise DeviceError(report.current_error or "the device is lost")
        return {channel: number for channel, value in raw.items() if (number := _number(value)) is not None}

    async def read_output(self, channel: str) -> float | None:
        """Where an output stands now; None when the plugin cannot tell."""
        return _number(await self._call("reading", lambda: self._plugin.read(channel), self._limit))

    async def write(self, channel: str, value: float) -> float:
        """Write an output; returns the value that was really set, after the limits of the channel."""
        applied = await self._call("writing", lambda: self._plugin.write(channel, value), self._limit)
        return float(applied)

    async def disconnect(self, seconds: float = LONGEST_LIMIT) -> None:
        """Close the connection; the plugin brings its outputs to their safe values. Never raises."""
        try:
            await self._call("disconnecting", self._plugin.disconnect, seconds)
        except DeviceError as failed:
            log.warning("the device could not be closed", reason=str(failed))

    async def _call(self, verb: str, work: Callable[[], Coroutine[Any, Any, Any]], seconds: float) -> Any:
        try:
            # Waiting for an earlier call counts: nobody waits longer than the limit, whatever the device does.
            async with asyncio.timeout(seconds), self._turn:
                return await work()
        except TimeoutError as failed:
            raise DeviceError(f"{verb}: no answer within {seconds:g} s") from failed
        except (Exception, SystemExit) as failed:  # a plugin is foreign code: whatever it raises is its failure
            raise DeviceError(str(failed) or type(failed).__name__) from failed


def _number(value: object) -> float | None:
    """A finite float; None for a gap: nothing was read, or it is no number that the server would take."""
    try:
        number = float(value)  # type: ignore[arg-type]  # whether it can be read is what is asked
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
