"""Drivers that block."""
# ruff: noqa: ARG002 - the drivers have to keep the signatures

import asyncio
import subprocess
import sys
import threading
import time

import pytest
from webmacs_plugins_core import (
    ChannelDescriptor,
    PluginDriverError,
    PluginMeta,
    PluginState,
    PluginTimeoutError,
    SyncDevicePlugin,
)


class BlockingPlugin(SyncDevicePlugin):
    """Notes which thread each call came in, and how many were inside at once."""

    meta = PluginMeta(id="blocking", name="Blocking", version="1")
    io_timeout_seconds = 0.5

    def __init__(self):
        super().__init__()
        self.threads = set()
        self.inside = 0
        self.most_inside = 0
        self.delay = 0.02
        self.error = None
        self.reads = 0

    def get_channels(self):
        return [
            ChannelDescriptor(id="in", name="In", direction="input", unit="V"),
            ChannelDescriptor(id="out", name="Out", direction="output", unit="V", safe_value=0),
        ]

    def _block(self):
        self.threads.add(threading.current_thread())
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        time.sleep(self.delay)
        self.inside -= 1
        if self.error is not None:
            raise self.error

    def connect_sync(self):
        self._block()

    def disconnect_sync(self):
        self._block()

    def read_sync(self, channel_id):
        self.reads += 1
        self._block()
        return 1.5

    def write_sync(self, channel_id, value):
        self._block()


@pytest.fixture
def blocking():
    plugin = BlockingPlugin()
    plugin.configure({"demo_mode": False})
    return plugin


def test_calls_come_one_at_a_time_and_never_in_the_event_loops_thread(blocking):
    async def run():
        await blocking.connect()
        values = await asyncio.gather(*(blocking.read("in") for _ in range(5)), blocking.write("out", 3))
        await blocking.disconnect()
        return values

    assert asyncio.run(run()) == [1.5] * 5 + [3]
    assert blocking.most_inside == 1
    assert len(blocking.threads) == 1
    assert threading.main_thread() not in blocking.threads


def test_the_event_loop_goes_on_while_a_driver_blocks(blocking):
    async def run():
        blocking.delay = 0.2
        await blocking.connect()
        reading = asyncio.create_task(blocking.read("in"))
        ticks = 0
        while not reading.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks

    assert asyncio.run(run()) >= 5


def test_reads_given_up_behind_a_hanging_one_are_never_started(blocking):
    async def run():
        await blocking.connect()
        blocking.delay = 1.2
        results = await asyncio.gather(*(blocking.read("in") for _ in range(4)))
        blocking.delay = 0
        await asyncio.sleep(1)
        return results

    assert asyncio.run(run()) == [None] * 4
    assert blocking.reads == 1


@pytest.mark.parametrize("error", [ValueError("bad frame"), StopIteration(), SystemExit(3)])
def test_whatever_a_driver_raises_becomes_a_plugin_error(blocking, error):
    async def run():
        await blocking.connect()
        blocking.error = error
        assert await blocking.read("in") is None
        with pytest.raises(PluginDriverError):
            await blocking.write("out", 1)

    asyncio.run(run())


def test_a_hanging_write_times_out_and_the_instance_can_still_be_disconnected(blocking):
    async def run():
        await blocking.connect()
        blocking.delay = 0.8
        with pytest.raises(PluginTimeoutError):
            await blocking.write("out", 1)
        blocking.delay = 0
        await blocking.disconnect()

    asyncio.run(run())
    assert blocking.state is PluginState.DISCONNECTED


def test_a_hanging_driver_does_not_keep_the_process_alive():
    program = (
        "import asyncio, time\n"
        "from webmacs_plugins_core.driver_thread import DriverThread\n"
        "async def main():\n"
        "    try:\n"
        "        await asyncio.wait_for(DriverThread('t').run(time.sleep, 60), 0.1)\n"
        "    except TimeoutError:\n"
        "        print('given up')\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)  # noqa: S603 - our own interpreter
    assert done.stdout == "given up\n"
