"""`webmacs users create`, `webmacs prepare`, and the housekeeping."""

import json
import os
from datetime import timedelta

import pytest
import time_machine
from click.testing import CliRunner
from sqlalchemy import func, select

from tests.make import Api
from webmacs.__main__ import _create_app, _create_server
from webmacs.api.idempotency import Answered
from webmacs.cli import build
from webmacs.core import clock
from webmacs.core.db import db
from webmacs.features.accounts import jobs
from webmacs.features.accounts.models import Login

ADMIN = {
    "INITIAL_ADMIN_EMAIL": "boss@lab.example",
    "INITIAL_ADMIN_USERNAME": "boss",
    "INITIAL_ADMIN_PASSWORD": "long enough",
}


@pytest.fixture
def command(site, database, tmp_path):
    """Run `webmacs …` over a database of its own; the environment given is all that it sees of ours."""
    environment = {"DATABASE_URL": site.fresh(database), "WEBMACS_DATA_DIR": str(tmp_path / "data")}
    environment |= {"REDIS_URL": site.redis, "WEBMACS_LOG_LEVEL": "error"}
    hidden = {name: None for name in os.environ if name.startswith(("WEBMACS_", "INITIAL_"))}

    def run(*arguments, typed=None, **extra):
        runner = CliRunner()
        return runner.invoke(
            build(_create_app, _create_server), arguments, input=typed, env=hidden | environment | extra
        )

    run.data = tmp_path / "data"
    run.environment = environment
    return run


def _told(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


def _login(command, email, password):
    from webmacs.settings import Settings

    app = _create_app(Settings.from_environment(command.environment))
    answer = Api(app).post("/api/v1/auth/login", {"email": email, "password": password})
    client = Api(app, (answer.json or {}).get("access_token"))
    return answer.status_code, client


def test_the_first_preparation_offers_a_claim_and_keeps_the_agents_token_private(command):
    assert len(_told(command("prepare"))["claim_code"].split("-")) == 4
    token = command.data / "agent.token"
    assert token.stat().st_mode & 0o777 == 0o600
    assert token.read_text().startswith("wm_")


def test_preparing_again_changes_the_claim_and_nothing_else(command):
    first = _told(command("prepare"))["claim_code"]
    token = (command.data / "agent.token").read_text()
    assert _told(command("prepare"))["claim_code"] != first
    assert (command.data / "agent.token").read_text() == token


def test_an_agents_token_that_was_lost_is_replaced(command):
    command("prepare")
    path = command.data / "agent.token"
    old = path.read_text()
    path.unlink()
    _told(command("prepare"))
    assert path.read_text() != old
    _, client = _login(command, "x@y.z", "x")
    client.bearer = old
    assert client.get("/api/v1/plugins").status_code == 401
    client.bearer = path.read_text()
    assert client.get("/api/v1/plugins").status_code == 200


def test_the_agent_may_do_what_it_must_and_no_more(command):
    _told(command("prepare", **ADMIN))
    _, client = _login(command, "x@y.z", "x")
    client.bearer = (command.data / "agent.token").read_text()
    instance = client.get("/api/v1/plugins").json["data"][0]
    event = next(m["event_public_id"] for m in instance["channel_mappings"] if m["event_public_id"])
    batch = {"datapoints": [{"event_public_id": event, "value": 1.0}]}
    assert client.post("/api/v1/datapoints/batch", batch).json["accepted"] == 1
    status = {"status": "connected", "error_message": None}
    assert client.put(f"/api/v1/plugins/{instance['public_id']}/status", status).status_code == 200
    assert client.get("/api/v1/users").status_code == 403
    assert client.delete(f"/api/v1/plugins/{instance['public_id']}").status_code == 403


def test_the_first_administrator_can_be_made_unattended(command):
    assert _told(command("prepare", **ADMIN)) == {"claim_code": None}
    status, client = _login(command, "boss@lab.example", "long enough")
    assert status == 200
    assert client.get("/api/v1/auth/me").json["role"] == "admin"


def test_the_first_administrator_is_made_once(command):
    _told(command("prepare", **ADMIN))
    _told(command("prepare", **{**ADMIN, "INITIAL_ADMIN_PASSWORD": "another word", "INITIAL_ADMIN_EMAIL": "b@c.d"}))
    assert _login(command, "boss@lab.example", "long enough")[0] == 200
    assert _login(command, "b@c.d", "another word")[0] == 401


def test_a_first_administrator_that_does_not_fit_is_named(command):
    refused = command("prepare", **{**ADMIN, "INITIAL_ADMIN_PASSWORD": "short"})
    assert refused.exit_code != 0
    assert "INITIAL_ADMIN_PASSWORD" in refused.output
    assert "short" not in refused.output.replace("should", "")


def test_a_fresh_start_measures_this_computer_and_the_demo_adds_the_plant(command):
    _told(command("prepare", **ADMIN))
    _, client = _login(command, "boss@lab.example", "long enough")
    assert [i["plugin_id"] for i in client.get("/api/v1/plugins").json["data"]] == ["system"]
    channels = client.get("/api/v1/events").json["total"]
    assert channels >= 5
    _told(command("prepare", WEBMACS_DEMO="1"))
    _told(command("prepare", WEBMACS_DEMO="1"))
    assert [i["plugin_id"] for i in client.get("/api/v1/plugins").json["data"]] == ["system", "simulated"]


def test_an_instance_that_was_deleted_does_not_come_back(command):
    _told(command("prepare", **ADMIN))
    _, client = _login(command, "boss@lab.example", "long enough")
    instance = client.get("/api/v1/plugins").json["data"][0]
    client.delete(f"/api/v1/plugins/{instance['public_id']}")
    _told(command("prepare"))
    assert client.get("/api/v1/plugins").json["total"] == 0


def test_a_user_can_be_made_from_the_command_line(command):
    _told(command("prepare"))
    made = command(
        "users",
        "create",
        "--email",
        "o@lab.example",
        "--username",
        "olga",
        "--role",
        "operator",
        typed="long enough\nlong enough\n",
    )
    assert made.exit_code == 0, made.output
    assert "olga can sign in as operator." in made.output
    assert "long enough" not in made.output
    status, client = _login(command, "o@lab.example", "long enough")
    assert (status, client.get("/api/v1/auth/me").json["role"]) == (200, "operator")


def test_the_password_may_come_from_the_environment(command):
    _told(command("prepare"))
    made = command("users", "create", "--email", "o@l.x", "--username", "olga", WEBMACS_PASSWORD="long enough")
    assert made.exit_code == 0, made.output
    assert _login(command, "o@l.x", "long enough")[0] == 200


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--email", "no address", "--username", "olga"], "email"),
        (["--email", "o@l.x", "--username", "o"], "username"),
        (["--email", "boss@lab.example", "--username", "olga"], "already exists"),
        (["--email", "o@l.x", "--username", "olga", "--role", "king"], "king"),
    ],
)
def test_a_user_that_does_not_fit_is_refused_in_a_sentence(command, arguments, words):
    _told(command("prepare", **ADMIN))
    refused = command("users", "create", *arguments, WEBMACS_PASSWORD="long enough")
    assert refused.exit_code != 0
    assert words in refused.output
    assert "Traceback" not in refused.output


def test_an_unknown_setting_stops_every_command(command):
    for arguments in (["prepare"], ["db", "upgrade"], ["web"], ["worker"]):
        refused = command(*arguments, WEBMACS_PROT="1")
        assert refused.exit_code != 0
        assert "WEBMACS_PROT" in refused.output


def test_the_database_goes_up_and_down(command):
    assert command("db", "upgrade").exit_code == 0
    assert command("db", "downgrade", "base").exit_code == 0
    assert command("db", "upgrade").exit_code == 0


def test_housekeeping_forgets_what_ended_long_ago_and_keeps_the_rest(lab, app, ada, client_as):
    client_as(ada).post("/api/v1/experiments", {"name": "Run"}, headers={"Idempotency-Key": "k"})
    later = clock.now() + timedelta(days=5)
    with time_machine.travel(later, tick=False):
        lab.person("vera")
        with app.app_context():
            jobs.tidy()
        with lab.arrival(write=False):
            assert db.session.scalar(select(func.count()).select_from(Login)) == 4
            assert db.session.scalar(select(func.count()).select_from(Answered)) == 0
    with time_machine.travel(later + timedelta(days=4), tick=False), app.app_context():
        jobs.tidy()
        assert db.session.scalar(select(func.count()).select_from(Login)) == 2
