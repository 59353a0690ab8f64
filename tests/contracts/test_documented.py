"""Every setting, endpoint, permission and command is documented, as it is today."""

import re

import click
import pytest

from webmacs.__main__ import _create_app, _create_server
from webmacs.api import openapi
from webmacs.cli import build
from webmacs.core.permissions import Can
from webmacs.settings import ELSEWHERE, Settings, SettingsError

from .reference import BLOCK, REFERENCE, TABLES, renewed

AGAIN = "run `python -m tests.contracts.reference` and read what changed"
DOCUMENTS = sorted(path.name for path in REFERENCE.glob("*.md"))


def _text(name):
    return (REFERENCE / name).read_text(encoding="utf-8")


def test_every_table_stands_in_some_document():
    assert sorted(block[2] for name in DOCUMENTS for block in BLOCK.finditer(_text(name))) == sorted(TABLES)


@pytest.mark.any_database
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_tables_say_what_is_true_today(app, name):
    assert renewed(_text(name), app) == _text(name), AGAIN


def test_every_setting_is_documented():
    text = _text("settings.md")
    assert [variable for variable in Settings.variables().values() if f"`{variable}`" not in text] == []


def test_no_setting_is_documented_that_does_not_exist():
    named = set(re.findall(r"`((?:WEBMACS|INITIAL)_[A-Z_]+)`", _text("settings.md")))
    assert named - {"WEBMACS_TEST_"} <= set(Settings.variables().values()) | ELSEWHERE


@pytest.mark.any_database
def test_every_endpoint_is_documented(app):
    text = _text("api.md")
    paths = {re.sub(r"<([^<>]+)>", r"{\1}", rule.rule) for rule, _, _ in openapi.endpoints(app)}
    assert [path for path in sorted(paths) if f"`{path}`" not in text] == []


def test_every_permission_is_documented():
    text = _text("api.md")
    assert [can.name for can in Can if f"`{can.name}`" not in text or can.value not in text] == []


def _all_commands(command, path=()):
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _all_commands(inner, (*path, name))


def test_every_command_explains_itself_and_its_options():
    for path, command in _all_commands(build(_create_app, _create_server)):
        assert command.help, path
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (path, parameter.name)


def test_every_command_is_documented():
    text = _text("cli.md")
    for path, command in _all_commands(build(_create_app, _create_server)):
        if not isinstance(command, click.Group):
            assert f"`webmacs {' '.join(path)}" in text, path


# --- the settings themselves ------------------------------------------------------------------------------------------


def test_an_unknown_setting_is_an_error_that_names_it():
    with pytest.raises(SettingsError, match="WEBMACS_PROT"):
        Settings.from_environment({"WEBMACS_PROT": "8000"})


def test_names_that_belong_to_the_tests_and_to_others_are_left_alone():
    assert Settings.from_environment({"WEBMACS_TEST_DATABASE_URL": "x", "PATH": "/bin", "DATABASES": "y"}).port == 8000


def test_an_empty_variable_means_the_default():
    assert Settings.from_environment({"WEBMACS_PORT": "", "REDIS_URL": ""}).redis_url is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WEBMACS_PORT", "eighty"),
        ("WEBMACS_PORT", "0"),
        ("WEBMACS_PORT", "65536"),
        ("WEBMACS_DEMO", "perhaps"),
        ("WEBMACS_LOG_LEVEL", "loud"),
        ("WEBMACS_MAX_BODY_BYTES", "1"),
        ("DATABASE_URL", "mysql://host/name"),
        ("DATABASE_URL", "somewhere"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "0"),
    ],
)
def test_a_value_that_cannot_be_used_is_an_error_that_names_the_variable(variable, value):
    with pytest.raises(SettingsError, match=f"^{variable}: "):
        Settings.from_environment({variable: value})


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_the_usual_spellings_of_a_postgresql_address_mean_our_driver(scheme):
    given = Settings.from_environment({"DATABASE_URL": f"{scheme}://user:word@host/name"})
    assert given.database_url == "postgresql+psycopg://user:word@host/name"


def test_the_defaults_fit_together(tmp_path):
    given = Settings.from_environment({"WEBMACS_DATA_DIR": str(tmp_path), "WEBMACS_HOST": "::", "WEBMACS_PORT": "9"})
    assert given.database_url == f"sqlite:///{tmp_path}/webmacs.db"
    assert given.server_url == "http://127.0.0.1:9"


def test_the_secret_key_is_made_once_and_kept_private(tmp_path):
    settings = Settings.from_environment({"WEBMACS_DATA_DIR": str(tmp_path / "data")})
    key = settings.with_secret_key().secret_key
    assert len(key) >= 32
    assert settings.with_secret_key().secret_key == key
    kept = tmp_path / "data" / "secret.key"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in kept.parent.iterdir()] == ["secret.key"]
    given = Settings.from_environment({"WEBMACS_DATA_DIR": str(tmp_path), "SECRET_KEY": "given"})
    assert given.with_secret_key().secret_key == "given"


def test_a_damaged_secret_key_stops_the_start(tmp_path):
    (tmp_path / "secret.key").write_text("short")
    with pytest.raises(SettingsError, match=r"secret\.key"):
        Settings.from_environment({"WEBMACS_DATA_DIR": str(tmp_path)}).with_secret_key()
