"""One WebMACS per data folder.

Two locks: `webmacs.lock` (flock) is inherited by the children and lasts until the last of them is gone; `webmacs.pid`
(a record lock, never inherited) lasts exactly as long as the supervisor and holds its process id.
"""

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from webmacs.supervisor.errors import CannotRunError

FAMILY = "webmacs.lock"
SUPERVISOR = "webmacs.pid"
PATIENCE = 15.0  # seconds the children of a killed supervisor get to finish


@contextlib.contextmanager
def data_folder_lock(data_dir: Path, say: Callable[[str], None], patience: float = PATIENCE) -> Iterator[int]:
    """Create the data folder if need be and hold its locks; yields the descriptor that the children inherit.

    Raises `CannotRunError` when the folder cannot be written or another WebMACS works in it.
    """
    with contextlib.ExitStack() as stack:
        try:
            data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            family, supervisor = (_open(stack, data_dir / name) for name in (FAMILY, SUPERVISOR))
        except OSError as refused:
            raise CannotRunError(
                f"The data folder {data_dir} cannot be used: {refused.strerror}. Set WEBMACS_DATA_DIR."
            ) from None
        try:
            _acquire(family, supervisor, data_dir, say, patience)
        except OSError as refused:
            if refused.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
                raise
            raise CannotRunError(
                f"The file system of {data_dir} has no locks; put WEBMACS_DATA_DIR on a local disk."
            ) from None
        os.truncate(supervisor, 0)
        os.pwrite(supervisor, f"{os.getpid()}\n".encode(), 0)
        yield family


def _open(stack: contextlib.ExitStack, path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    stack.callback(os.close, descriptor)
    return descriptor


def _acquire(family: int, supervisor: int, data_dir: Path, say: Callable[[str], None], patience: float) -> None:
    deadline = time.monotonic() + patience
    if not _locked(fcntl.lockf, supervisor):
        pid = os.pread(supervisor, 32, 0).decode("ascii", errors="replace").strip()
        raise CannotRunError(
            f"WebMACS already runs on the data folder {data_dir} (process {pid}). "
            "Stop it, or give this one its own WEBMACS_DATA_DIR and WEBMACS_PORT."
        )
    if _locked(fcntl.flock, family):
        return
    say("An earlier WebMACS on this data folder was killed; its processes are finishing …")
    while not _locked(fcntl.flock, family):
        if time.monotonic() >= deadline:
            raise CannotRunError(
                f"Processes of an earlier WebMACS still use the data folder {data_dir}; end them first."
            )
        time.sleep(0.05)


def _locked(take: Callable[[int, int], object], descriptor: int) -> bool:
    try:
        take(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as refused:
        if refused.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True
