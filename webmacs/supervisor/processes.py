"""The supervisor's loop: reads its children's output, starts them again when they die, and stops them in order."""

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import FrameType

from webmacs.supervisor.child import Child, Program
from webmacs.supervisor.console import Console
from webmacs.supervisor.errors import CannotRunError, StopRequestedError

HURRIED_GRACE = 2.0  # seconds that all the children get together after a second Ctrl-C
_LONGEST_WAIT = 3600.0
_SAME_WISH = 0.3  # seconds within which several signals are one wish: shells and make pass Ctrl-C on
_CONSOLE_WAIT = 0.25  # how often a reader that fell behind is tried again


class Supervisor:
    """Runs programs. Sleeps until there is output, a signal or a restart that is due; never polls.

    Lives in the main thread of a process without other threads: it forks, and it owns the signals.
    """

    def __init__(self, console: Console, inherited: Sequence[int] = ()) -> None:
        self._console = console
        self._inherited = inherited
        self._children: list[Child] = []
        self._stops = 0  # how often somebody asked us to stop
        self._last_stop = 0.0
        self._stopping = False
        self._wake_reader, self._wake_writer = os.pipe()

    def add(self, program: Program) -> Child:
        """Start a program and keep it running. Raises `CannotRunError` when it cannot be started at all."""
        child = Child(program, self._console, self._inherited)
        try:
            child.start()
        except OSError as refused:
            raise CannotRunError(f"{program.name} cannot be started: {refused}") from None
        self._children.append(child)
        return child

    def run_once(self, program: Program) -> tuple[int, list[str]]:
        """Run a program to its end; returns its code and its last lines. Raises `StopRequestedError`."""
        child = self.add(replace(program, restarts=False))
        try:
            while (code := child.exit_code()) is None:
                self._heed_stop()
                self._step(_LONGEST_WAIT)
        finally:
            self._end(child)
            self._children.remove(child)
        return code, list(child.tail)

    def wait_for(self, condition: Callable[[], bool], timeout: float, every: float = 0.05) -> bool:
        """Serve the children until `condition` holds; False after `timeout` seconds. Raises `StopRequestedError`."""
        deadline = time.monotonic() + timeout
        while not condition():
            self._heed_stop()
            if time.monotonic() >= deadline:
                return False
            self._step(every)
        return True

    def run(self) -> None:
        """Serve the children until somebody asks us to stop."""
        while not self._stops:
            self._step(_LONGEST_WAIT)

    def stop(self) -> None:
        """Stop the children, the last started first: SIGTERM, the child's grace, SIGKILL.

        A second Ctrl-C asks all at once and waits `HURRIED_GRACE`, a third kills.
        """
        self._stopping = True
        for child in reversed(self._children):
            child.restart_at = None
            self._end(child)
        self._children.clear()
        self._console.flush(patience=0.5)

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Take over SIGINT, SIGTERM, SIGHUP and SIGCHLD for the duration."""
        os.set_blocking(self._wake_writer, False)
        os.set_blocking(self._wake_reader, False)
        wanted = [signal.SIGINT, signal.SIGTERM, signal.SIGCHLD]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup
            wanted.append(signal.SIGHUP)
        before = {number: signal.signal(number, self._on_signal) for number in wanted}
        wakeup = signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGCHLD:
            return
        now = time.monotonic()
        if not self._stops or (number != signal.SIGHUP and now - self._last_stop > _SAME_WISH):
            self._stops += 1
            self._last_stop = now

    def _heed_stop(self) -> None:
        if self._stops:
            raise StopRequestedError

    def _step(self, longest: float) -> None:
        """Wait for something to do, at most `longest` seconds, and do it."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_reader, selectors.EVENT_READ)
            for child in self._children:
                if (descriptor := child.output) is not None:
                    selector.register(descriptor, selectors.EVENT_READ)
            selector.select(self._wait(longest))
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_reader, 4096)
        for child in self._children:
            child.read()
        self._console.flush()
        self._revive()
        _reap_strangers(self._children)

    def _wait(self, longest: float) -> float:
        now = time.monotonic()
        due = [child.restart_at - now for child in self._children if child.restart_at is not None]
        if self._console.behind:
            due.append(_CONSOLE_WAIT)
        return max(0.0, min([longest, *due]))

    def _revive(self) -> None:
        if self._stopping:
            return
        for child in (child for child in self._children if child.program.restarts):
            if child.running and (code := child.exit_code()) is not None:
                self._console.say(child.failed(code))
            if child.restart_at is not None and child.restart_at <= time.monotonic():
                try:
                    child.start()
                except (OSError, CannotRunError) as refused:
                    self._console.say(f"{child.program.name} cannot be started: {refused}")
                    child.failed(0)

    def _end(self, child: Child) -> None:
        child.send(signal.SIGTERM)
        deadline = time.monotonic() + child.program.grace
        wishes = 1
        while child.running and child.exit_code() is None:
            if self._stops > wishes:
                wishes = self._stops
                deadline = min(deadline, time.monotonic() + self._hurry(wishes))
            if time.monotonic() >= deadline:
                self._console.say(f"{child.program.name} did not stop in time; killing it.")
                child.kill()
                deadline = time.monotonic() + 1.0
            self._step(max(0.0, deadline - time.monotonic()))

    def _hurry(self, wishes: int) -> float:
        """Ask all the children at once; returns the seconds that are left to them."""
        for other in self._children:
            other.send(signal.SIGTERM)
        return HURRIED_GRACE if wishes == 2 else 0.0


def _reap_strangers(children: Sequence[Child]) -> None:
    """As process 1 of a container we inherit orphans; collect the dead ones that are not our own."""
    if os.getpid() != 1:
        return
    ours = {child.process.pid for child in children if child.process}
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid in ours:
            return
        os.waitpid(ended.si_pid, 0)
