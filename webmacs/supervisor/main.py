"""`webmacs up`: lock, broker, preparation, web, worker, agent; then watch them until somebody asks to stop."""

import http.client
import json
import os
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from webmacs.settings import Settings
from webmacs.supervisor import broker, systemd
from webmacs.supervisor.child import Child, Program
from webmacs.supervisor.console import Console
from webmacs.supervisor.errors import CannotRunError, StopRequestedError
from webmacs.supervisor.lock import data_folder_lock
from webmacs.supervisor.processes import Supervisor

BROKER_PATIENCE = 60.0  # seconds; a long append-only file is read at the start
WEB_PATIENCE = 60.0
STARTING_FAILURES = 3  # failed starts after which we stop trying to come up
_FIRST_ADMIN = ("INITIAL_ADMIN_EMAIL", "INITIAL_ADMIN_USERNAME", "INITIAL_ADMIN_PASSWORD")
_SERVER_ONLY = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")
_GRACE = {"web": 8.0, "worker": 10.0, "agent": 10.0}
Programs = Callable[[str, dict[str, str]], Program]
_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


def run(settings: Settings, programs: Programs | None = None) -> int:
    """Run WebMACS until SIGINT, SIGTERM or SIGHUP; returns 0 after a stop that was asked for, 1 when it cannot run.

    `programs` makes the program of a part (prepare, web, worker, agent) from its name and environment.
    """
    console = Console()
    os.umask(0o077)  # what the children write holds secrets and results: nobody else's business
    try:
        with data_folder_lock(settings.data_dir, console.say) as lock:
            return _run(settings, programs or command, console, lock)
    except CannotRunError as trouble:
        console.say(str(trouble))
        return 1
    except KeyboardInterrupt:  # while waiting for the lock, before the supervisor owns the signals
        return 0
    finally:
        console.flush(patience=1.0)


def _run(settings: Settings, programs: Programs, console: Console, lock: int) -> int:
    supervisor = Supervisor(console, inherited=(lock,))
    with supervisor.signals(), broker.socket_path(settings.data_dir / "redis") as sock:
        try:
            claim_code = _start(settings, programs, supervisor, console, sock)
            console.say(announcement(settings, claim_code))
            systemd.notify("READY=1")
            supervisor.run()
        except StopRequestedError:
            return 0
        except (CannotRunError, OSError) as trouble:
            console.say(str(trouble))
            return 1
        finally:
            systemd.notify("STOPPING=1")
            console.say("Stopping …")
            supervisor.stop()
            console.say("Stopped.")
    return 0


def _start(settings: Settings, programs: Programs, supervisor: Supervisor, console: Console, sock: Path) -> str | None:
    """Start everything in order; returns the claim code while nobody has claimed this WebMACS."""
    console.say(f"Starting WebMACS; its data is in {settings.data_dir}")
    check_port(settings.host, settings.port)
    environment = child_environment(settings, _start_broker(settings, supervisor, console, sock))
    claim_code = _prepare(supervisor, programs("prepare", environment))
    daily = _without(environment, _FIRST_ADMIN)
    web = supervisor.add(programs("web", daily))
    if not supervisor.wait_for(_up(web, lambda: answers(settings)), WEB_PATIENCE):
        raise CannotRunError(f"The web server does not answer within {WEB_PATIENCE:.0f} s.")
    supervisor.add(programs("worker", daily))
    # The agent runs drivers: it gets nothing that opens the server's database or signs for it.
    supervisor.add(programs("agent", _without(daily, _SERVER_ONLY)))
    return claim_code


def _start_broker(settings: Settings, supervisor: Supervisor, console: Console, sock: Path) -> str:
    """The URL of a broker that answers: the one that the settings name, or our own."""
    url = settings.redis_url or broker.socket_url(sock)
    if settings.redis_url:
        if not supervisor.wait_for(lambda: broker.answers(url), broker.SITE_PATIENCE, every=0.2):
            raise CannotRunError(f"REDIS_URL names {broker.without_password(url)}, and nothing answers there.")
        return url
    child = supervisor.add(broker.program(broker.find_server(), settings.data_dir / "redis", sock, console.say))
    if not supervisor.wait_for(_up(child, lambda: broker.answers(url)), BROKER_PATIENCE, every=0.01):
        raise CannotRunError(f"The broker does not answer within {BROKER_PATIENCE:.0f} s.")
    return url


def _prepare(supervisor: Supervisor, program: Program) -> str | None:
    """Bring the database up to date; returns the claim code, None when there is an administrator."""
    code, lines = supervisor.run_once(program)
    if code != 0:
        raise CannotRunError("The preparation of the database failed; the lines above say why. Nothing was started.")
    return claim_code_of(lines)


def _up(child: Child, answers_now: Callable[[], bool]) -> Callable[[], bool]:
    """A condition: the child answers. Raises `CannotRunError` when it dies again and again instead."""

    def condition() -> bool:
        if child.failures >= STARTING_FAILURES:
            raise CannotRunError(f"{child.program.name} does not start; its lines above say why.")
        return child.running and answers_now()

    return condition


def command(name: str, environment: dict[str, str]) -> Program:
    """`webmacs <name>` as a program of the interpreter that runs us."""
    return Program(
        name=name,
        argv=(sys.executable, "-m", "webmacs", name),
        env=environment,
        grace=_GRACE.get(name, 5.0),
        shows=lambda line: name != "prepare" or not line.startswith('{"claim_code"'),
    )


def child_environment(settings: Settings, redis_url: str) -> dict[str, str]:
    """Our environment, completed so that every child reads the same settings wherever it looks."""
    environment = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
    environment |= {
        "WEBMACS_HOST": settings.host,
        "WEBMACS_PORT": str(settings.port),
        "WEBMACS_DATA_DIR": str(settings.data_dir),
        "WEBMACS_SERVER_URL": settings.server_url,
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": redis_url,
        "PYTHONUNBUFFERED": "1",
    }
    return environment


def check_port(host: str, port: int) -> None:
    """Raise `CannotRunError` when the port cannot be had, before anything is started."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as refused:
        raise CannotRunError(
            f"WebMACS cannot listen on {host} port {port}: {refused.strerror}. "
            f"Free it, or choose another, for example WEBMACS_PORT={port + 1 if port < 65535 else 8000}."
        ) from None


def answers(settings: Settings) -> bool:
    """Whether the web server answers GET /health, with whatever status: how well it is is not our question."""
    host = "127.0.0.1" if settings.host in _ANYWHERE else settings.host
    connection = http.client.HTTPConnection(host, settings.port, timeout=2.0)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status > 0
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def claim_code_of(lines: Sequence[str]) -> str | None:
    """The claim code in the last line of `webmacs prepare`: {"claim_code": "XXXX-XXXX-XXXX" | null}."""
    try:
        said = json.loads(lines[-1]) if lines else None
    except ValueError:
        return None
    code = said.get("claim_code") if isinstance(said, dict) else None
    return str(code) if code else None


def announcement(settings: Settings, claim_code: str | None) -> str:
    """What the terminal says when everything runs."""
    url = f"http://{_shown_host(settings.host)}:{settings.port}"
    lines = ["", f"WebMACS runs at {url}"]
    if settings.host in _ANYWHERE:
        lines.append(f"In the network: http://{socket.gethostname()}:{settings.port}")
    if claim_code:
        lines += [
            "Nobody has claimed it yet. Open this link to become its administrator; it works once:",
            f"  {url}/claim#{claim_code}",
            f"  (claim code {claim_code})",
        ]
    return "\n".join([*lines, "Stop with Ctrl-C.", ""])


def _shown_host(host: str) -> str:
    if host in _ANYWHERE:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _without(environment: dict[str, str], names: Sequence[str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in names}
