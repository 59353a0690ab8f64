"""What the user of the database needs: an ordinary one will do, and the migration says what it misses."""

import secrets
import uuid
from pathlib import Path

import psycopg
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from click.testing import CliRunner
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from tests import servers
from tests.conftest import SECRET
from tests.make import Api, Lab
from webmacs.__main__ import _create_app, _create_server
from webmacs.cli import build
from webmacs.core.db import db
from webmacs.core.identity import Role
from webmacs.factory import create_app

ROOT = Path(__file__).resolve().parents[2]
ROLE = "webmacs_tenant"


@pytest.fixture
def server(site, database):
    """The URL of the administrator of the server."""
    if database != "postgresql":
        pytest.skip("SQLite has no users")
    site.installation(database)  # somebody has made the role already
    return site.postgresql


@pytest.fixture
def plain(server):
    """The URL of a database of an ordinary user, who may make no roles and is not allowed to take one on."""
    name, password = f"plain_{uuid.uuid4().hex[:8]}", secrets.token_hex(8)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        connection.execute(f"CREATE DATABASE {name} OWNER {name} ENCODING 'UTF8' TEMPLATE template0")
    yield make_url(server).set(drivername="postgresql+psycopg", username=name, password=password, database=name)
    servers.drop_database(server, name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP ROLE {name}")


def _upgrade(url, folder, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    monkeypatch.setenv("WEBMACS_DATA_DIR", str(folder))
    monkeypatch.setenv("SECRET_KEY", SECRET)  # the process has one, and other tests come after this one
    return CliRunner().invoke(build(_create_app, _create_server), ["db", "upgrade"])


def test_an_ordinary_user_is_enough_once_it_may_take_on_the_role(plain, server, site, tmp_path, monkeypatch):
    refused = _upgrade(plain, tmp_path, monkeypatch)
    command = f"GRANT {ROLE} TO {plain.username};"
    assert refused.exit_code == 1
    assert command in refused.output
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(command)
    assert _upgrade(plain, tmp_path, monkeypatch).exit_code == 0
    app = create_app(site.settings(plain.render_as_string(hide_password=False)))
    lab = Lab(app)
    people = [lab.person("ada", Role.ADMIN), lab.person("eve", Role.ADMIN, organization="Elsewhere")]
    for who in people:
        client = Api(app, who.bearer)
        body = {"name": who.username, "type": "sensor", "unit": "V", "min_value": 0, "max_value": 9}
        channel = client.post("/api/v1/events", body).json["public_id"]
        many = [{"event_public_id": channel, "value": n, "timestamp": 1_400_000_000 + n} for n in range(300)]
        assert client.post("/api/v1/datapoints/batch", {"datapoints": many}).json["accepted"] == 300
    for who in people:
        seen = Api(app, who.bearer).get("/api/v1/events").json["data"]
        assert [event["name"] for event in seen] == [who.username]
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_who_may_not_create_roles_is_told_the_one_command_that_is_missing(plain, server, monkeypatch):
    script = ScriptDirectory(str(ROOT / "migrations"))
    (revision,) = (found for found in script.walk_revisions() if found.revision.endswith("_row_security"))
    absent = f"absent_{uuid.uuid4().hex[:8]}"
    monkeypatch.setattr(revision.module, "ROLE", absent)
    engine = create_engine(plain)
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        with pytest.raises(RuntimeError, match="may not create roles") as refused:
            revision.module._provide_role(connection)
        (command,) = (line.strip() for line in str(refused.value).splitlines() if line.startswith("    "))
        with psycopg.connect(server, autocommit=True) as administrator:
            administrator.execute(command)
        revision.module._provide_role(connection)
        assert revision.module._can_take_on(connection)
    engine.dispose()
    with psycopg.connect(server, autocommit=True) as administrator:
        administrator.execute(f"DROP ROLE {absent}")
