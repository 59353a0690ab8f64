"""A supervisor in a process of its own, with stand-ins for the parts."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

RIG = Path(__file__).with_name("rig.py")


def wait_until(condition: Callable[[], object], what: str, timeout: float = 15.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout} s: {what}")
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Up:
    """One run of the rig: its data folder, its output and what its parts noted."""

    def __init__(self, folder: Path, log_folder: Path, extra: dict[str, str]) -> None:
        self.data = folder
        self.port = int(extra.get("WEBMACS_PORT") or free_port())
        own = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(RIG.parents[2]),
            "WEBMACS_DATA_DIR": str(folder),
            "WEBMACS_PORT": str(self.port),
        }
        self._log = log_folder / f"{time.monotonic_ns()}.out"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(RIG)], env=own | extra, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def journal(self, what: str = "") -> list[tuple[str, int]]:
        """What the parts noted, oldest first: (part, process id)."""
        with contextlib.suppress(FileNotFoundError):
            lines = [line.split() for line in (self.data / "journal").read_text().splitlines()]
            return [(part, int(pid)) for part, noted, pid in lines if noted == what]
        return []

    def pids(self, part: str) -> list[int]:
        """The processes of a part, oldest first."""
        return [pid for name, pid in self.journal("starts") if name == part]

    def wait_for_output(self, text: str) -> None:
        wait_until(lambda: text in self.output or self.process.poll() is not None, text)
        assert text in self.output

    def wait_for_start(self, part: str, times: int = 1) -> int:
        wait_until(lambda: len(self.pids(part)) >= times, f"{part} started {times} times\n{self.output}")
        return self.pids(part)[-1]

    def wait_for_note(self, pattern: str) -> str:
        """Wait until a part has noted something that matches; returns the match, or its group."""
        wait_until(lambda: re.search(pattern, (self.data / "journal").read_text()), f"a note {pattern}")
        found = re.search(pattern, (self.data / "journal").read_text())
        assert found
        return found[found.re.groups]

    def wait_until_all_run(self) -> None:
        self.wait_for_output("Stop with Ctrl-C")
        self.wait_for_start("worker")
        self.wait_for_start("agent")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=20)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Start the rig; keyword arguments go into its environment. Everything is ended afterwards."""
    runs: list[Up] = []

    def start(data: Path | None = None, **environment: str) -> Up:
        runs.append(Up(data or tmp_path / "data", tmp_path, environment))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()
