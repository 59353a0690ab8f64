"""Files of our own below the data folder: private, complete or not there at all, and never the disk's last bytes."""

import contextlib
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from flask import current_app

from webmacs.core.facts import Fact

SPARE = 256 << 20  # bytes that stay free for the database, whatever somebody asks for
PART = ".part"
FORSAKEN = 3600  # seconds
CHECK_EVERY = 16 << 20  # bytes written between two looks at the free space


@dataclass(frozen=True)
class FileForsaken(Fact):
    """Nobody needs this file any more. It goes after the commit: what is rolled back needs it still."""

    folder: str
    name: str


class DiskFullError(Exception):
    """Writing on would take the last of the disk; the message is a sentence for the user."""


def folder(name: str) -> Path:
    """The folder `name` in the data folder, made when it is not there: only its owner may look into it."""
    path = Path(current_app.config["DATA_DIR"]) / name
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def make_sure_of_space(path: Path, size: int) -> None:
    """Raise `DiskFullError` unless `size` more bytes fit and some are left over."""
    free = shutil.disk_usage(path).free
    if free < size + SPARE:
        raise DiskFullError(f"There is not enough space on the server's disk: {free >> 20} MB are free.")


class Sink:
    """A file that is being written: counts and hashes what passes, and minds the disk."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.bytes = 0
        self._file = file
        self._path = path
        self._digest = hashlib.sha256()
        self._checked = 0

    def write(self, data: bytes) -> int:
        """Append; raises `DiskFullError`."""
        if self.bytes - self._checked >= CHECK_EVERY or not self.bytes:
            make_sure_of_space(self._path.parent, CHECK_EVERY)
            self._checked = self.bytes
        self._file.write(data)
        self._digest.update(data)
        self.bytes += len(data)
        return len(data)

    @property
    def sha256(self) -> str:
        """Of everything written so far, as hex."""
        return self._digest.hexdigest()

    def close(self) -> None:
        """Nothing: `written` closes the file. Writers of formats want to be able to ask."""

    def flush(self) -> None:
        """Nothing, for the same reason."""

    closed = False


@contextmanager
def written(path: Path) -> Iterator[Sink]:
    """Write a file that appears under its name once it is whole and on the disk, or not at all."""
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")
    try:
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield Sink(file, path)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def remove(path: Path) -> None:
    """Delete a file; none is fine."""
    path.unlink(missing_ok=True)


def remove_forsaken(fact: FileForsaken) -> None:
    """Delete a file that nobody needs any more."""
    remove(folder(fact.folder) / fact.name)


def tidy(name: str, wanted: Collection[str]) -> None:
    """Delete all that is not `wanted` from the folder; what somebody wrote to within the last hour stays.

    Killed processes leave such files: unfinished ones, and those that they were about to delete.
    """
    for path in folder(name).iterdir():
        if path.name not in wanted:
            with contextlib.suppress(FileNotFoundError):  # its writer ended just now
                if time.time() - path.stat().st_mtime > FORSAKEN:
                    path.unlink()
