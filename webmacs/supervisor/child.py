"""One program that the supervisor runs: its process, its session, its output by lines, and when to start it again."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from webmacs.supervisor.console import Console

FIRST_PAUSE = 0.2  # seconds before the first restart; doubles with each failure
LONGEST_PAUSE = 10.0
LOOP_AFTER = 5  # failures in a row that are called a crash loop
_TAIL = 40  # last lines kept of each child
_LONGEST_LINE = 65536

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _nothing(_last_lines: Sequence[str]) -> None:
    return None


def _every_line(_line: str) -> bool:
    return True


@dataclass(frozen=True)
class Program:
    """What to run. `grace` is the time in seconds between SIGTERM and SIGKILL; `shows` picks the lines that reach the
    console; `before_start` gets the last lines of the previous process.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    grace: float = 5.0
    healthy_after: float = 30.0  # seconds of life after which earlier failures are forgotten
    restarts: bool = True
    shows: Callable[[str], bool] = _every_line
    before_start: Callable[[Sequence[str]], None] = _nothing


@dataclass
class Child:
    """A program and its present process, if any."""

    program: Program
    console: Console
    inherited: Sequence[int] = ()  # descriptors the process keeps, such as the lock's
    failures: int = 0  # unexpected ends since it was last healthy
    restart_at: float | None = None  # monotonic seconds
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL))
    process: subprocess.Popen[bytes] | None = None
    _started: float = 0.0
    _partial: bytes = b""

    @property
    def running(self) -> bool:
        """Whether a process of it exists that has not been reaped."""
        return self.process is not None

    @property
    def output(self) -> int | None:
        """The descriptor its output is read from."""
        pipe = self.process.stdout if self.process else None
        return pipe.fileno() if pipe and not pipe.closed else None

    def start(self) -> None:
        """Start the process in a session of its own. Raises OSError when it cannot be started."""
        self.restart_at = None
        self._started = time.monotonic()
        self.program.before_start(self.tail)
        self._partial = b""
        self.tail.clear()
        self.process = subprocess.Popen(  # noqa: S603 - the programs are our own
            list(self.program.argv),
            env=dict(self.program.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the supervisor only, which keeps the order of the stop
            pass_fds=self.inherited,
            preexec_fn=_die_with_parent(os.getpid()),  # noqa: PLW1509 - the supervisor has no threads
        )
        assert self.process.stdout is not None  # noqa: S101 - asked for above
        os.set_blocking(self.process.stdout.fileno(), False)

    def read(self) -> None:
        """Take what the process has written and hand complete lines to the console."""
        descriptor = self.output
        if descriptor is None:
            return
        try:
            while chunk := os.read(descriptor, 65536):
                self._take(chunk)
        except BlockingIOError:
            return
        self._close()  # end of file

    def exit_code(self) -> int | None:
        """The code of a process that has ended (negative: the signal), None while it runs.

        Ends what is left of its session.
        """
        if self.process is None or not _has_ended(self.process):
            return None
        end_session(self.process.pid)  # before reaping: until then the number cannot be anybody else's
        code = self.process.wait()
        self.read()
        self._close()
        self.process = None
        return code

    def failed(self, code: int) -> str:
        """Plan the next start after an unexpected end; returns what to tell the reader."""
        now = time.monotonic()
        lived = now - self._started
        self.failures = 1 if lived >= self.program.healthy_after else self.failures + 1
        pause = pause_after(self.failures)
        self.restart_at = now + pause
        if self.failures >= LOOP_AFTER:
            return (
                f"{self.program.name} is in a crash loop: it {describe(code)} after {lived:.1f} s, "
                f"{self.failures} times in a row. Its last lines above say why. Next try in {pause:.1f} s."
            )
        return f"{self.program.name} {describe(code)}; starting it again in {pause:.1f} s."

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, if there is one."""
        if self.process is not None and not _has_ended(self.process):
            os.kill(self.process.pid, number)

    def kill(self) -> None:
        """End the process and all it started, now."""
        if self.process is not None and not _has_ended(self.process):
            end_session(self.process.pid)
            os.kill(self.process.pid, signal.SIGKILL)

    def _take(self, chunk: bytes) -> None:
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        for line in lines:
            self._show(line)
        if len(self._partial) > _LONGEST_LINE:
            self._show(self._partial)
            self._partial = b""

    def _show(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip("\r")
        self.tail.append(text)
        if self.program.shows(text):
            self.console.say(text, self.program.name)

    def _close(self) -> None:
        if self._partial:
            self._show(self._partial)
            self._partial = b""
        if self.process and self.process.stdout:
            self.process.stdout.close()


def pause_after(failures: int) -> float:
    """Seconds to wait before the next start after so many failures in a row."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 16))


def describe(code: int) -> str:
    """Say how a process ended, from its return code."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def end_session(leader: int) -> None:
    """Kill the session of `leader` except the leader: work horses and drivers must not outlive their parent."""
    for pid in _members(leader):
        try:
            os.kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def _members(leader: int) -> list[int]:
    """The processes of a session, without its leader. Known on Linux only, where /proc tells it."""
    members = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and folder.name != str(leader) and fields[0] not in "ZX":
            members.append(int(folder.name))
    return members


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process has ended; leaves it to be reaped."""
    if process.returncode is not None:
        return True
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return process.poll() is not None
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _die_with_parent(parent: int) -> Callable[[], None] | None:
    """On Linux: have the kernel send SIGTERM when the supervisor dies, however it dies."""
    libc = _libc
    if libc is None:
        return None

    def ask_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:  # it died between the fork and the line above
            os._exit(1)

    return ask_kernel
