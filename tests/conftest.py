"""Real servers, one application for each database, empty tables for each test, and the cast."""

import os
import shutil
import sqlite3
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import Engine, event
from sqlalchemy.engine import make_url

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # so that `tests.make` is found however pytest was started
    sys.path.insert(0, str(ROOT))

from tests import postoffice, servers  # noqa: E402 - found by the lines above
from tests.make import Api, Lab, Person  # noqa: E402 - see above
from tests.page import Browser  # noqa: E402 - see above
from tests.postoffice import PostOffice  # noqa: E402 - see above
from webmacs.core import migrations  # noqa: E402 - see above
from webmacs.core.db import db  # noqa: E402 - see above
from webmacs.core.identity import Role  # noqa: E402 - see above
from webmacs.factory import create_app  # noqa: E402 - see above
from webmacs.gateways.sealing import sealer  # noqa: E402 - see above
from webmacs.gateways.signing import notary, signer  # noqa: E402 - see above
from webmacs.settings import Settings  # noqa: E402 - see above

DATABASES = ("sqlite", "postgresql")
TRAIL = "audit_entries"
SECRET = "a key that only the tests use, of enough length"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=("both", *DATABASES),
        default=os.environ.get("WEBMACS_TEST_DATABASE", "both"),
        help="which database the tests of the application use (default: both)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "any_database: what it checks happens before a database is asked; one is enough")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run whatever needs the application once on each database."""
    if "database" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--database")
        names = list(DATABASES) if chosen == "both" else [chosen]
        one_is_enough = metafunc.definition.get_closest_marker("any_database") is not None
        metafunc.parametrize("database", names[:1] if one_is_enough else names, indirect=True, scope="session")


@event.listens_for(Engine, "connect")
def _hurry(connection: Any, _record: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")  # nobody pulls the plug of a test


class Installation:
    """A migrated database and the application on it."""

    def __init__(self, url: str, settings: Settings) -> None:
        self.url = url
        self.app = create_app(settings)

    def empty(self) -> None:
        """Delete the rows of all tables that have any, past the application."""
        raise NotImplementedError

    def shut(self) -> None:
        """Let go of the database."""
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()

    @cached_property
    def tables(self) -> list[str]:
        """The tables, those that others refer to last."""
        return [table.name for table in reversed(db.metadata.sorted_tables)]


class OnSqlite(Installation):
    """An installation whose database is a file."""

    def empty(self) -> None:
        with closing(
            sqlite3.connect(make_url(self.url).database or "", isolation_level=None, timeout=10)
        ) as connection:
            asks = ((table, f'SELECT 1 FROM "{table}" LIMIT 1') for table in self.tables)  # noqa: S608 - our own names
            filled = [table for table, ask in asks if connection.execute(ask).fetchone()]
            if filled:
                statements = "".join(f'DELETE FROM "{table}";' for table in filled)  # noqa: S608 - our own names
                guards = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
                if TRAIL in filled:  # its triggers refuse to let anything be deleted
                    off = "".join(f"DROP TRIGGER {name};" for name, _ in guards)
                    statements = off + statements + "".join(f"{sql};" for _, sql in guards)
                connection.executescript(f"PRAGMA synchronous=OFF; BEGIN IMMEDIATE; {statements} COMMIT;")


class OnPostgresql(Installation):
    """An installation on the PostgreSQL server of the run."""

    @cached_property
    def _connection(self) -> psycopg.Connection:
        connection = psycopg.connect(self.url, autocommit=True)
        connection.execute("SET lock_timeout = '10s'")  # an arrival that was left open shows itself here
        return connection

    def empty(self) -> None:
        asks = ",".join(f"CASE WHEN EXISTS (SELECT FROM \"{t}\") THEN '{t}' END" for t in self.tables)
        row = self._connection.execute(f"SELECT array_remove(ARRAY[{asks}], NULL)").fetchone()
        if row and row[0]:
            statements = [f'DELETE FROM "{table}"' for table in row[0]]  # noqa: S608 - our own names
            if TRAIL in row[0]:  # its trigger refuses to let anything be deleted
                off, on = (f"ALTER TABLE {TRAIL} {word} TRIGGER USER" for word in ("DISABLE", "ENABLE"))
                statements = [off, *statements, on]
            self._connection.execute(";".join(statements))

    def shut(self) -> None:
        super().shut()
        self._connection.close()


class Site:
    """Everything that the tests of one process share, made when it is first needed."""

    def __init__(self, run: str, worker: str) -> None:
        self._run = run
        self._worker = worker
        self._stack = ExitStack()
        self._installations: dict[str, Installation] = {}
        self.folder = Path(tempfile.mkdtemp(prefix="webmacs-test-", dir=servers.workshop()))
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)

    def close(self) -> None:
        """Stop what was started."""
        self._stack.close()

    @cached_property
    def redis(self) -> str:
        """The URL of a Redis of our own."""
        return self._stack.enter_context(servers.redis())

    @cached_property
    def postgresql(self) -> str:
        """The URL of the PostgreSQL server of the run."""
        return self._stack.enter_context(servers.postgresql(self._run))

    def forgive(self) -> None:
        """Forget who failed to sign in how often, and what else is counted."""
        redis = Redis.from_url(self.redis)
        counted = redis.keys("count:*")
        if counted:
            redis.delete(*counted)

    def settings(self, url: str, **others: Any) -> Settings:
        """Settings for an application on the database `url`."""
        data = Path(tempfile.mkdtemp(dir=self.folder))
        chosen: dict[str, Any] = {
            "secret_key": SECRET,
            "log_level": "error",
            "redis_url": self.redis,
            "server_url": "http://localhost",
        }
        chosen["rate_limit_per_minute"] = 0  # all tests have one address
        return Settings(database_url=url, data_dir=data, **(chosen | others))

    def fresh(self, database: str) -> str:
        """The URL of a new, empty database (not migrated)."""
        name = f"webmacs_{self._run}_{self._worker}_{uuid.uuid4().hex[:8]}"
        if database == "sqlite":
            return f"sqlite:///{self.folder / name}.db"
        url = servers.create_database(self.postgresql, name)
        self._drop_at_the_end(name)
        return url

    def migrated(self, database: str) -> str:
        """The URL of a new database with the schema of the migrations."""
        if database == "sqlite":
            url = self.fresh(database)
            self._migrate(url)
            return url
        template, name = f"webmacs_{self._run}_template", f"webmacs_{self._run}_{self._worker}_{uuid.uuid4().hex[:8]}"
        with servers.only_one_at_a_time(self.postgresql) as connection:
            if not servers.exists(connection, template):
                self._drop_at_the_end(template)
                self._migrate(servers.create_database(self.postgresql, template))
            url = servers.create_database(self.postgresql, name, template)
        self._drop_at_the_end(name)
        return url

    def _drop_at_the_end(self, name: str) -> None:
        if servers.is_given():  # a server of our own goes with everything that is on it
            self._stack.callback(self._drop, name)

    def _drop(self, name: str) -> None:
        with servers.only_one_at_a_time(self.postgresql):
            servers.drop_database(self.postgresql, name)

    def _migrate(self, url: str) -> None:
        app = create_app(self.settings(url))
        migrations.upgrade(app)
        with app.app_context():
            db.engine.dispose()

    def installation(self, database: str) -> Installation:
        """The one installation of this process on the kind of database."""
        if database not in self._installations:
            url = self.migrated(database)
            kind = OnSqlite if database == "sqlite" else OnPostgresql
            made = self._installations[database] = kind(url, self.settings(url))
            self._stack.callback(made.shut)
        return self._installations[database]


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """The servers and installations of this process."""
    given = getattr(request.config, "workerinput", {})
    site = Site(given.get("testrunuid", uuid.uuid4().hex)[:10], given.get("workerid", "main"))
    yield site
    site.close()


@pytest.fixture(scope="session")
def database(request: pytest.FixtureRequest) -> str:
    """`sqlite` or `postgresql`: every test that touches the application runs on both."""
    return str(request.param)


@pytest.fixture
def installation(site: Site, database: str) -> Installation:
    """The installation on this database, with empty tables."""
    installation = site.installation(database)
    installation.empty()
    site.forgive()
    return installation


@pytest.fixture
def app(installation: Installation) -> Flask:
    """The application over an empty database."""
    for keeper in (signer, sealer, notary):  # a process has one key; a test may have made another application
        keeper.use(SECRET)
    return installation.app


@pytest.fixture
def post(app: Flask) -> Iterator[PostOffice]:
    """A mail server that the application uses; mails leave when a test runs their jobs."""
    with postoffice.opened() as office:
        app.extensions["webmacs.mailer"], app.config["PUBLIC_URL"] = office.mailer(), "https://lab.example"
        try:
            yield office
        finally:
            app.extensions["webmacs.mailer"], app.config["PUBLIC_URL"] = None, ""


@pytest.fixture
def lab(app: Flask) -> Lab:
    """Makes what a test needs."""
    return Lab(app)


@pytest.fixture
def ada(lab: Lab) -> Person:
    """The administrator."""
    return lab.person("ada", Role.ADMIN)


@pytest.fixture
def oscar(lab: Lab) -> Person:
    """The operator."""
    return lab.person("oscar", Role.OPERATOR)


@pytest.fixture
def vera(lab: Lab) -> Person:
    """The viewer."""
    return lab.person("vera", Role.VIEWER)


@pytest.fixture
def eve(lab: Lab) -> Person:
    """The administrator of another organization."""
    return lab.person("eve", Role.ADMIN, organization="Elsewhere")


@pytest.fixture
def client_as(app: Flask) -> Callable[[Person | None], Api]:
    """A JSON client that speaks for somebody (None: for nobody)."""
    return lambda person: Api(app, person.bearer if person else None)


@pytest.fixture
def browser_as(app: Flask) -> Callable[[Person | None], Browser]:
    """A browser in which somebody is signed in (None: nobody)."""
    return lambda person: Browser(app, person.session if person else None)
