"""The outputs of one instance: safe values, and the set-points that were let through, written one after the other."""

import asyncio
from dataclasses import dataclass

import structlog

from webmacs.agent.buffer import Sample
from webmacs.agent.clock import Clock
from webmacs.agent.device import Device, DeviceError
from webmacs.agent.gate import Gate, Reading, Target
from webmacs.agent.outbox import Outbox
from webmacs.agent.server_log import ServerLog

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0


@dataclass
class Link:
    """Whether the server can be asked for set-points; kept by `Setpoints`."""

    live: bool = False


@dataclass(frozen=True)
class Context:
    """What every instance works with."""

    clock: Clock
    gate: Gate
    link: Link
    outbox: Outbox
    server_log: ServerLog


class Outputs:
    """Knows what the device was last given. While safe values are still to be written, no set-point passes.

    A failed write is tried again every `RETRY_SECONDS`, until a newer set-point or the safe state replaces it.
    """

    def __init__(self, instance: str, name: str, device: Device, context: Context) -> None:
        self.name = name
        self.problems: dict[str, str] = {}
        self._instance = instance
        self._device = device
        self._context = context
        self._events: dict[str, str] = {}
        self._connected = False
        self._unsafe: set[str] = set()
        self._pending: dict[str, Reading] = {}
        self._written: dict[str, float] = {}
        self._complained: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._channels = {name: channel for name, channel in device.channels.items() if channel.is_output}

    def link(self, events: dict[str, str]) -> list[str]:
        """Take over which event drives which channel; returns the new ones, which wait for a fresh set-point."""
        wanted = {channel: event for channel, event in events.items() if channel in self._channels}
        gone = [channel for channel in self._events if channel not in wanted]
        new = [channel for channel, event in wanted.items() if self._events.get(channel) != event]
        for channel in gone:
            self._context.gate.unlink(Target(self._instance, channel))
            self._pending.pop(channel, None)
        for channel in new:
            self._context.gate.link(Target(self._instance, channel), wanted[channel])
            self._pending.pop(channel, None)
        for channel in (*gone, *new):
            self.problems.pop(channel, None)
        self._events = wanted
        self._arm(new)
        return new

    def connected(self) -> None:
        """The device is there: its outputs are brought to their safe values before any set-point passes."""
        self._connected = True
        self.to_safe()

    async def adopt(self) -> None:
        """The device is simulated, nothing can come to harm: its outputs stay as they are and are reported so."""
        self._connected = True
        self._arm(list(self._events))
        for channel in self._channels:
            value = await self._device.read_output(channel)
            if value is not None:
                self._written[channel] = value
        await self.report(list(self._written))

    def refuse(self) -> None:
        """The device is lost, or being closed: nothing waits for it, and no set-point passes."""
        self._refuse_all()
        self._connected = False
        self._unsafe.clear()

    async def lost(self) -> None:
        """The device is closed: report the safe values that the plugin applied by itself, then forget what it held."""
        taken = {channel: value for channel, value in self._device.written.items() if channel in self._written}
        changed = [channel for channel, value in taken.items() if self._written[channel] != value]
        self._written.update(taken)
        await self.report(changed)
        self._written.clear()

    def to_safe(self) -> None:
        """Have the safe values written, ahead of everything else and until it succeeds. Set-points are refused now."""
        self._refuse_all()
        if self._connected:
            self._unsafe = {name for name, channel in self._channels.items() if channel.safe_value is not None}
            self._wake.set()
            self._arm(list(self._events))

    def live(self) -> None:
        """The server can be asked for set-points again: those made from now on pass."""
        self._arm(list(self._events))

    def command(self, channel: str, setpoint: Reading) -> None:
        """Have a set-point written; it replaces one that still waits."""
        self._pending[channel] = setpoint
        self._wake.set()

    async def report(self, channels: list[str]) -> None:
        """Store what the device was last given as datapoints, so that the server shows the truth."""
        samples = []
        for channel in channels:
            event = self._events.get(channel)
            if event is not None and channel in self._written:
                samples.append(self.sample(event, self._written[channel]))
        await self._context.outbox.add(samples)

    def sample(self, event: str, value: float) -> Sample:
        """A sample of an event that drives an output: in the server's time, and known as the controller's own."""
        at = self._context.clock.stamp(event, self._context.clock.server_now())
        self._context.gate.own(event, at)
        return Sample(event, at, value)

    async def run(self) -> None:
        """Write for ever what is to be written."""
        while True:
            self._wake.clear()
            if self._connected:
                await self._write_safe()
                for channel, setpoint in list(self._pending.items()):
                    await self._write_setpoint(channel, setpoint)
            again = RETRY_SECONDS if self._unsafe or self._pending else None
            try:
                async with asyncio.timeout(again):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _write_safe(self) -> None:
        """Write the safe values that are still to be written, once each, and report those that the device took."""
        if not self._unsafe:
            return
        done = []
        for channel in sorted(self._unsafe):
            safe = self._channels[channel].safe_value
            if safe is not None and await self._write(channel, safe, "The safe value"):
                done.append(channel)
        await self.report(done)
        self._unsafe.difference_update(done)
        self._arm(list(self._events))

    async def _write_setpoint(self, channel: str, setpoint: Reading) -> None:
        if self._pending.get(channel) is not setpoint or not await self._write(
            channel, setpoint.value, "The set-point"
        ):
            return
        if self._pending.get(channel) is setpoint:
            del self._pending[channel]
        if self._written.get(channel) != setpoint.value:
            await self.report([channel])

    async def _write(self, channel: str, value: float, what: str) -> bool:
        try:
            written = await self._device.write(channel, value)
        except DeviceError as failed:
            self._complain(channel, f"{what} {value:g} of {channel} could not be written: {failed}")
            return False
        self.problems.pop(channel, None)
        self._complained.pop(channel, None)
        if self._connected:
            self._written[channel] = written
        return True

    def _complain(self, channel: str, problem: str) -> None:
        """Keep the problem for the status; log it when it is another one than at the last try."""
        self.problems[channel] = problem
        if self._complained.get(channel) != problem:
            self._complained[channel] = problem
            log.error("an output could not be written", instance=self.name, problem=problem)
            self._context.server_log.error(f"{self.name}: {problem}")

    def _arm(self, channels: list[str]) -> None:
        if self._context.link.live and self._connected and not self._unsafe:
            for channel in channels:
                self._context.gate.arm(Target(self._instance, channel), self._context.clock.server_now())

    def _refuse_all(self) -> None:
        for channel in self._events:
            self._context.gate.disarm(Target(self._instance, channel))
        self._pending.clear()
        self.problems.clear()
