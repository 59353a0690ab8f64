"""The device behind a probe, the agent in a process of its own, and how to wait for them."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROBE = Path(__file__).parent / "probe"


def wait_until(condition, what, timeout=15.0):
    """Wait for a condition and return its value; a test never sleeps for a fixed time."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout} s: {what}")
        time.sleep(0.01)
    return value


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Device:
    """The folder behind a probe."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()

    def fault(self, name):
        (self.folder / name).touch()

    def heal(self, name):
        (self.folder / name).unlink()

    def given(self):
        path = self.folder / "given"
        return [float(line) for line in path.read_text().splitlines()] if path.exists() else []

    def written(self, channel):
        """(value, time) of every write to a channel."""
        path = self.folder / "written"
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [(float(value), float(at)) for name, value, at in lines if name == channel]

    def values(self, channel):
        return [value for value, _ in self.written(channel)]


class Agent:
    """`python -m webmacs.agent` with a data folder of its own."""

    def __init__(self, url, data):
        self.data = data
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("WEBMACS_")} | {
            "PYTHONPATH": str(PROBE),
            "WEBMACS_SERVER_URL": url,
            "WEBMACS_DATA_DIR": str(data),
            "WEBMACS_AGENT_SYNC_INTERVAL": "0.5",
            "WEBMACS_AGENT_SETPOINT_INTERVAL": "0.1",
        }
        self.process = None
        self.output = data / "output.txt"

    def start(self, **settings):
        with self.output.open("a") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "webmacs.agent"], env=self.environment | settings, stderr=output, stdout=output
            )
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, timeout=15.0):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def said(self):
        return self.output.read_text()
