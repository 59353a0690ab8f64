"""One plugin instance: connects its device, polls it at its own pace, and connects again when it is lost."""

import asyncio
import math

import structlog
from webmacs_plugins_core import DevicePlugin, PluginError, instance_config

from webmacs.agent.buffer import Sample
from webmacs.agent.device import Device, DeviceError
from webmacs.agent.outputs import Context, Outputs
from webmacs.agent.tasks import keep_running
from webmacs.agent.wire import InstanceRow, Status

log = structlog.get_logger(__name__)

# Together with the last messages to the server these stay below the 10 seconds that a supervisor waits before it kills.
CANCEL_SECONDS = 1.5
CLOSE_SECONDS = 6.0


class Instance:
    """Runs one row of the server's list in tasks of its own, so that it can delay no other.

    Without a usable plugin or configuration it only has a status that says so.
    """

    def __init__(self, row: InstanceRow, plugin_class: type[DevicePlugin] | None, context: Context) -> None:
        self.row = row
        self.outputs: Outputs | None = None
        self._context = context
        self._device: Device | None = None
        self._problem: str | None = None
        self._online = False
        self._inputs: dict[str, str] = {}
        self._attempt = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._log = log.bind(instance=row.instance_name, instance_id=row.public_id)
        try:
            self._device = Device(_configured(row, plugin_class))
        except DeviceError as failed:
            self._problem = str(failed)
            self._log.error("the instance cannot run", reason=self._problem)
            return
        self.outputs = Outputs(row.public_id, row.instance_name, self._device, context)
        self._link(self.outputs)

    @property
    def status(self) -> tuple[Status, str | None]:
        """What the server should show: status and error message."""
        write_problems = self.outputs.problems if self.outputs else {}
        if self._problem is not None:
            return "error", self._problem
        if self._device is None or not self._online:
            return "inactive", None
        if write_problems:
            return "error", "; ".join(write_problems.values())
        return ("demo" if self._device.demo else "connected"), None

    @property
    def runnable(self) -> bool:
        """Whether there is a plugin with a valid configuration behind it."""
        return self._device is not None

    def needs_restart(self, row: InstanceRow) -> bool:
        """Whether `row` differs in a way that only a new device object can take over."""
        mine = (self.row.plugin_id, self.row.demo_mode, self.row.config_json)
        return mine != (row.plugin_id, row.demo_mode, row.config_json)

    async def take_over(self, row: InstanceRow) -> None:
        """Apply a new name and new links without touching the device; a newly linked output shows what it was given."""
        changed = self.row.channel_mappings != row.channel_mappings
        self.row = row
        if self.outputs is not None:
            self.outputs.name = row.instance_name
            if changed:
                await self.outputs.report(self._link(self.outputs))

    def start(self) -> None:
        """Begin to connect and poll."""
        if self._device is not None and self.outputs is not None:
            self._log.info("instance started", plugin=self.row.plugin_id)
            device, outputs = self._device, self.outputs
            self._tasks = [
                asyncio.create_task(keep_running("instance", lambda: self._run(device, outputs))),
                asyncio.create_task(keep_running("outputs", outputs.run)),
            ]

    async def stop(self) -> None:
        """Stop polling and close the device, by which it gets its safe values; takes a few seconds at most."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            # With a limit: a plugin may swallow the cancellation, and the outputs have to become safe all the same.
            await asyncio.wait(self._tasks, timeout=CANCEL_SECONDS)
        self._tasks = []
        if self._device is None or self.outputs is None:
            return
        self.outputs.refuse()
        await self._device.disconnect(CLOSE_SECONDS)
        await self.outputs.lost()
        self.outputs.link({})
        self._online = False
        self._log.info("instance stopped")

    def _link(self, outputs: Outputs) -> list[str]:
        """Take over which event goes with which channel; returns the outputs that are newly linked."""
        known = self._device.channels if self._device else {}
        linked = {row.channel_id: row.event_public_id for row in self.row.channel_mappings if row.event_public_id}
        unknown = sorted(set(linked) - set(known))
        if unknown:
            self._log.warning("channels are linked that the plugin does not have", channels=unknown)
        self._inputs = {name: event for name, event in linked.items() if name in known and known[name].is_input}
        return outputs.link({name: event for name, event in linked.items() if name in known and known[name].is_output})

    async def _run(self, device: Device, outputs: Outputs) -> None:
        while True:
            try:
                await device.connect()
                self._log.info("device connected", demo=device.demo)
                self._problem, self._online = None, True
                if device.demo:
                    await outputs.adopt()
                else:
                    outputs.connected()
                await self._poll(device, outputs)
            except DeviceError as failed:
                if self._problem is None:
                    self._log.warning("the device is lost", reason=str(failed))
                self._problem = str(failed)
            if self._online:
                self._online = False
                outputs.refuse()
                await device.disconnect()
                await outputs.lost()
            self._attempt += 1
            await asyncio.sleep(device.pause(self._attempt))

    async def _poll(self, device: Device, outputs: Outputs) -> None:
        """Read at the instance's interval until the device is lost; ticks that were missed are not made up for."""
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            values = await device.read()
            self._attempt = 0
            await self._record(values, device, outputs)
            due += device.poll_seconds * max(1, math.ceil((clock() - due) / device.poll_seconds))
            await asyncio.sleep(due - clock())

    async def _record(self, values: dict[str, float], device: Device, outputs: Outputs) -> None:
        at = self._context.clock.now()
        samples = []
        for channel, value in values.items():
            event = self._inputs.get(channel)
            if event is None:
                continue
            if device.channels[channel].is_output:
                samples.append(outputs.sample(event, value))
            else:
                samples.append(Sample(event, self._context.clock.stamp(event, at), value))
        await self._context.outbox.add(samples)


def _configured(row: InstanceRow, plugin_class: type[DevicePlugin] | None) -> DevicePlugin:
    """A plugin object with the row's configuration. Raises `DeviceError` with a reason for the user."""
    if plugin_class is None:
        raise DeviceError(f"The plugin {row.plugin_id!r} is not installed on this controller.")
    try:
        plugin = plugin_class()
        plugin.instance_id = row.public_id
        config = instance_config(
            row.config_json, instance_name=row.instance_name, demo_mode=row.demo_mode, plugin_id=row.plugin_id
        )
        plugin.configure(config)
    except PluginError as failed:
        raise DeviceError(failed.message) from failed
    except (Exception, SystemExit) as failed:
        raise DeviceError(f"The plugin {row.plugin_id!r} failed: {failed or type(failed).__name__}") from failed
    return plugin
