"""Lines to the terminal that never make the control wait: a paused terminal loses lines, it does not stop the agent."""

import contextlib
import os
import select
import time
from collections import deque

_BACKLOG = 2000  # lines kept for a terminal that does not read
_PIECE = 4096  # a pipe that is ready takes this much without blocking


class Console:
    """Writes lines with the speaker's name in front, as fast as the reader reads."""

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor: int | None = _own_description(descriptor)
        self._backlog: deque[bytes] = deque()
        self._dropped = 0

    def say(self, text: str, speaker: str = "webmacs") -> None:
        """Write each line of `text`, after `speaker`."""
        for line in text.splitlines() or [""]:
            self._append(f"{speaker:<7} | {line}\n".encode(errors="replace"))
        self.flush()

    @property
    def behind(self) -> bool:
        """Whether lines wait for the reader."""
        return bool(self._backlog)

    def flush(self, patience: float = 0.0) -> None:
        """Write what can be written now; wait at most `patience` seconds for the rest."""
        deadline = time.monotonic() + patience
        while self._backlog and self._descriptor is not None:
            if not self._write(self._descriptor, max(0.0, deadline - time.monotonic())):
                return

    def _append(self, line: bytes) -> None:
        if self._descriptor is None:
            return
        if len(self._backlog) >= _BACKLOG:
            self._dropped += 1
            return
        if self._dropped:
            self._backlog.append(f"webmacs | ({self._dropped} lines were dropped: nobody read them)\n".encode())
            self._dropped = 0
        self._backlog.append(line)

    def _write(self, descriptor: int, patience: float) -> bool:
        """Write one piece; False when the reader is not ready."""
        try:
            if not _writable(descriptor, patience):
                return False
            piece = self._backlog[0][:_PIECE]
            rest = self._backlog[0][os.write(descriptor, piece) :]
        except BlockingIOError:
            return False
        except OSError:  # the terminal is gone; the plant goes on
            self._descriptor = None
            self._backlog.clear()
            return False
        if rest:
            self._backlog[0] = rest
        else:
            self._backlog.popleft()
        return True


def _writable(descriptor: int, patience: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(patience * 1000))


def _own_description(descriptor: int) -> int:
    """Open a terminal once more, without blocking: changing the shared one would change the user's shell as well."""
    with contextlib.suppress(OSError):
        if os.isatty(descriptor):
            return os.open(os.ttyname(descriptor), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    return descriptor
