"""Real plugins whose device is a folder of files, so that a test can look into it from another process.

`given` lists every value that was read, `written` every value that was written. A file `broken` lets every call fail,
`mute` every call but writing, `stuck` lets reading hang, `jammed` lets writing fail.
"""

import asyncio
import time
from pathlib import Path

from webmacs_plugins_core import (
    ChannelDescriptor,
    ChannelDirection,
    DevicePlugin,
    PluginInstanceConfig,
    PluginMeta,
    SyncDevicePlugin,
)


class Folder(PluginInstanceConfig):
    """Where the device is."""

    folder: Path


class Probe(DevicePlugin):
    """Counts its readings; `level` can be written and is read back."""

    meta = PluginMeta(id="probe", name="Probe", version="1.0")
    config_schema = Folder

    def get_channels(self):
        both, out = ChannelDirection.BIDIRECTIONAL, ChannelDirection.OUTPUT
        return [
            ChannelDescriptor(id="count", name="Count", direction=ChannelDirection.INPUT, unit="1", max_value=1e9),
            ChannelDescriptor(id="gap", name="Gap", direction=ChannelDirection.INPUT, unit="1"),
            ChannelDescriptor(id="heater", name="Heater", direction=out, unit="%", safe_value=0),
            ChannelDescriptor(id="valve", name="Valve", direction=out, unit="%"),
            ChannelDescriptor(id="level", name="Level", direction=both, unit="%", safe_value=5),
        ]

    def _fault(self, name):
        return (self.config.folder / name).exists()

    def _fail_if_broken(self, *others):
        if any(self._fault(name) for name in ("broken", *others)):
            raise ConnectionError("the device is broken")

    async def _do_connect(self):
        self._fail_if_broken("mute")
        self.config.folder.mkdir(exist_ok=True, parents=True)

    async def _do_disconnect(self):
        pass

    async def _do_read(self, channel_id):
        self._fail_if_broken("mute")
        if self._fault("stuck"):
            await asyncio.sleep(3600)
        if channel_id == "level":
            return float(self.__dict__.get("level", -1))
        if channel_id == "gap":
            return None
        path = self.config.folder / "given"
        value = len(path.read_text().splitlines()) if path.exists() else 0
        with path.open("a") as file:
            file.write(f"{value}\n")
        return float(value)

    async def _do_write(self, channel_id, value):
        self._fail_if_broken()
        if self._fault("jammed"):
            raise OSError("the output is jammed")
        if channel_id == "level":
            self.level = value
        with (self.config.folder / "written").open("a") as file:
            file.write(f"{channel_id} {value:g} {time.time()}\n")


class Blocking(SyncDevicePlugin):
    """One input; blocks its thread while the file `stuck` is there."""

    meta = PluginMeta(id="blocking", name="Blocking", version="1.0")
    config_schema = Folder
    io_timeout_seconds = 0.2

    def get_channels(self):
        return [ChannelDescriptor(id="x", name="X", direction=ChannelDirection.INPUT, unit="1")]

    def connect_sync(self):
        pass

    def disconnect_sync(self):
        pass

    def read_sync(self, _channel_id):
        while (self.config.folder / "stuck").exists():
            time.sleep(0.02)
        return 1.0

    def write_sync(self, _channel_id, _value):
        raise AssertionError("there is nothing to write")
