"""The controller: puts the parts together, runs their loops, and ends in order."""

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import structlog

from webmacs import __version__
from webmacs.agent.buffer import Buffer
from webmacs.agent.client import Client, ServerError
from webmacs.agent.clock import SECOND, Clock
from webmacs.agent.credentials import Credentials
from webmacs.agent.gate import Gate
from webmacs.agent.outbox import Outbox
from webmacs.agent.outputs import Context, Link
from webmacs.agent.plant import Plant
from webmacs.agent.reporter import Reporter
from webmacs.agent.server_log import ServerLog
from webmacs.agent.setpoints import Setpoints
from webmacs.agent.tasks import keep_running
from webmacs.settings import Settings

log = structlog.get_logger(__name__)

# One part of the time that a supervisor gives before it kills: instances stop first, then the news travels.
FLUSH_SECONDS = 2.0
LONGEST_SYNC_PAUSE = 5.0
REMINDER_SECONDS = 60.0
# Two clocks and a slow look may lie between a command and its arrival, however short the watchdog is set.
SHORTEST_EXPIRY = 10.0
CONFIGURATION_ERROR = 2


class ConfigurationError(Exception):
    """The controller cannot run as it is set up; the text says what to change."""


def run(settings: Settings) -> int:
    """Run the controller until SIGTERM or SIGINT; returns the exit code of the process.

    0 after an orderly end, 2 when the configuration cannot work. A server that is away is waited for.
    """
    folder = settings.data_dir / "agent"
    try:
        _check_url(settings.server_url)
        with _only_one(folder):
            _prepare_logging(settings.log_level)
            buffer = Buffer(folder / "buffer.db", settings.agent_buffer_limit)
            asyncio.run(Controller(settings, buffer).run())
    except (ConfigurationError, OSError, sqlite3.Error) as failed:
        sys.stderr.write(f"webmacs agent: {failed}\n")
        return CONFIGURATION_ERROR
    return 0


class Controller:
    """All parts of one controller process."""

    def __init__(self, settings: Settings, buffer: Buffer) -> None:
        self._settings = settings
        clock = Clock(floor=buffer.newest)
        credentials = Credentials(settings.api_token, settings.data_dir / "agent.token")
        self._client = Client(settings.server_url, credentials, clock)
        self._server_log = ServerLog(self._client, clock)
        self._outbox = Outbox(buffer, self._client, self._server_log)
        gate = Gate(max_age=int(max(settings.agent_safe_after, SHORTEST_EXPIRY) * SECOND))
        context = Context(clock, gate, Link(), self._outbox, self._server_log)
        self._plant = Plant(self._client, context)
        self._reporter = Reporter(self._client, self._plant)
        self._setpoints = Setpoints(
            self._client, self._plant, context, settings.agent_setpoint_interval, settings.agent_safe_after
        )
        log.info("controller", version=__version__, server=settings.server_url, stored_samples=buffer.count)

    async def run(self) -> None:
        """Work until a signal to stop arrives, then leave everything safe, stored and reported."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loops = {
            "plant": self._follow_plant,
            "set-points": self._setpoints.run,
            "watchdog": self._setpoints.watch,
            "outbox": self._outbox.run,
            "status": self._reporter.run,
            "log": self._server_log.run,
        }
        tasks = [asyncio.create_task(keep_running(name, work), name=name) for name, work in loops.items()]
        try:
            await stop.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._end()

    async def _end(self) -> None:
        log.warning("Controller shutting down")
        running = [instance.row.public_id for instance in self._plant.instances]
        await self._plant.stop()
        self._server_log.warning("Controller shutting down")
        await asyncio.gather(
            self._outbox.flush(FLUSH_SECONDS), self._server_log.flush(FLUSH_SECONDS), self._say_goodbye(running)
        )
        await self._outbox.close()
        await self._client.close()

    async def _say_goodbye(self, instances: list[str]) -> None:
        with contextlib.suppress(ServerError, TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                for public_id in instances:
                    await self._reporter.tell(public_id, "inactive")

    async def _follow_plant(self) -> None:
        """Agree with the server's list of instances every sync interval; wait for the server while it is away."""
        greeted, pause, reminded = False, 0.5, float("-inf")
        while True:
            try:
                if not greeted:
                    # What stands on the server now was meant for an earlier run; see it before there are outputs.
                    await self._setpoints.look()
                await self._sync()
            except ServerError as failed:
                if time.monotonic() - reminded > REMINDER_SECONDS:
                    log.warning("waiting for the server", server=self._settings.server_url, reason=str(failed))
                    reminded = time.monotonic()
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_SYNC_PAUSE)
                continue
            if not greeted:
                log.info("Controller started – plugin sensor polling active")
                self._server_log.info("Controller started – plugin sensor polling active")
            greeted, pause, reminded = True, 0.5, float("-inf")
            await asyncio.sleep(self._settings.agent_sync_interval)

    async def _sync(self) -> None:
        rows = await self._plant.load()
        await self._plant.agree(rows)
        for row in rows:
            if not row.enabled and row.status != "inactive":
                await self._reporter.tell(row.public_id, "inactive")


def _check_url(text: str) -> None:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as failed:
        raise ConfigurationError(f"WEBMACS_SERVER_URL {text!r} is not a URL: {failed}") from failed
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigurationError(f"WEBMACS_SERVER_URL {text!r} must begin with http:// or https:// and name a host")


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold the lock of the data folder: two controllers would poll the same devices and fight over their outputs."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as failed:
            raise ConfigurationError(f"another agent already works in {folder}") from failed
        yield
    finally:
        os.close(descriptor)


def _prepare_logging(level: str) -> None:
    """Log to standard error, unless the program that starts us has arranged its own way."""
    number = logging.getLevelNamesMapping()[level.upper()]
    if not structlog.is_configured():
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(number),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        )
    logging.basicConfig(level=number, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Every request at level info would drown what matters.
    logging.getLogger("httpx").setLevel(logging.WARNING)
