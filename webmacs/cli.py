"""The `webmacs` command. Each part of the system is one command; `up` runs them all."""

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
from pydantic import ValidationError

from webmacs import __version__
from webmacs.core import trail
from webmacs.features.audit import cli as audit
from webmacs.settings import Settings, SettingsError, write_private

if TYPE_CHECKING:
    from flask import Flask


def _settings() -> Settings:
    try:
        return Settings.from_environment()
    except SettingsError as wrong:
        raise click.ClickException(str(wrong)) from None


def build(create_app: Callable[[Settings], "Flask"], create_server: Callable[["Flask"], Any]) -> click.Group:
    """The command over an application factory; `create_server` turns the application into an ASGI server."""

    @click.group(context_settings={"help_option_names": ["-h", "--help"]})
    @click.version_option(__version__, prog_name="webmacs")
    @click.pass_context
    def webmacs(context: click.Context) -> None:
        """Open, self-hosted monitoring and control for laboratories and pilot plants.

        Settings come from the environment; docs/reference/settings.md lists them.
        """
        context.with_resource(trail.came_from(trail.Origin(f"webmacs {context.invoked_subcommand}")))

    @webmacs.command()
    def up() -> None:
        """Run everything on this box: private Redis, server, worker and agent, under one supervisor."""
        from webmacs.supervisor import main  # only here: the supervisor is light and stays apart from the application

        sys.exit(main.run(_settings()))

    @webmacs.command()
    def web() -> None:
        """Run the server: pages, JSON and live streams on one port."""
        import uvicorn  # only here: the other commands do without it

        settings = _settings()
        server = create_server(create_app(settings))
        uvicorn.run(
            server,
            http=server.protocol,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            ws="websockets-sansio",
            ws_max_size=1_048_576,
            timeout_graceful_shutdown=3,
            timeout_keep_alive=30,
        )

    @webmacs.command()
    def worker() -> None:
        """Run the background worker with its scheduler (needs REDIS_URL)."""
        from webmacs.core.jobs import run_worker  # only here: it needs the queue's library

        settings = _settings()
        if settings.redis_url is None:
            raise click.ClickException("the worker needs REDIS_URL; `webmacs up` starts a private Redis and sets it")
        run_worker(create_app(settings))

    @webmacs.command()
    def agent() -> None:
        """Run the agent: the process beside the machine that reads and writes its channels."""
        from webmacs.agent import main  # only here: the agent knows nothing of the application

        sys.exit(main.run(_settings()))

    @webmacs.command()
    def prepare() -> None:
        """Migrate, and make what a first start needs; the last line printed is JSON for the supervisor."""
        settings = _settings()
        click.echo(json.dumps({"claim_code": _prepare(create_app(settings), settings)}))

    webmacs.add_command(_database(create_app))
    webmacs.add_command(_users(create_app))
    webmacs.add_command(_mail(create_app))
    webmacs.add_command(audit.group(lambda: create_app(_settings())))
    return webmacs


def _prepare(app: "Flask", settings: Settings) -> str | None:
    from webmacs.core import migrations  # only here: importing the command must stay light for the supervisor
    from webmacs.core.db import transaction
    from webmacs.features.system import operations

    migrations.upgrade(app)
    path = settings.data_dir / "agent.token"
    present = path.read_text(encoding="utf-8").strip() if path.exists() else None
    with app.app_context(), transaction():
        prepared = operations.prepare(_first_admin(settings), present, demo=settings.demo)
    if prepared.agent_token != present:
        write_private(path, prepared.agent_token)
    return prepared.claim_code


def _first_admin(settings: Settings) -> Any:
    from webmacs.features.accounts.schemas import UserIn  # only here: see _prepare

    if not settings.initial_admin_email or not settings.initial_admin_password:
        return None
    try:
        return UserIn(
            email=settings.initial_admin_email,
            username=settings.initial_admin_username or "admin",
            password=settings.initial_admin_password,
        )
    except ValidationError as refused:
        first = refused.errors()[0]
        raise click.ClickException(f"INITIAL_ADMIN_{str(first['loc'][0]).upper()}: {first['msg']}") from None


def _database(create_app: Callable[[Settings], "Flask"]) -> click.Group:
    @click.group()
    def db() -> None:
        """The database."""

    @db.command("upgrade")
    @click.argument("revision", default="head")
    def upgrade_database(revision: str) -> None:
        """Bring the database to a REVISION (default: the newest)."""
        from webmacs.core import migrations  # only here: see _prepare

        migrations.upgrade(create_app(_settings()), revision)
        click.echo("The database is up to date.")

    @db.command("downgrade")
    @click.argument("revision")
    def downgrade_database(revision: str) -> None:
        """Take the database back to a REVISION. What only newer ones hold is lost: back up first."""
        from webmacs.core import migrations  # only here: see _prepare

        migrations.downgrade(create_app(_settings()), revision)

    @db.command("distribute")
    def distribute_database() -> None:
        """Spread the datapoints over the workers of a Citus cluster, by channel (PostgreSQL with Citus only).

        Run it once on the coordinator; doing it again changes nothing. Back up first.
        """
        from webmacs.core.db import db as database  # only here: see _prepare
        from webmacs.core.db import driver, transaction
        from webmacs.core.errors import Refusal
        from webmacs.features.datapoints import store

        with create_app(_settings()).app_context():
            try:
                with transaction():
                    done = store.of(database.engine.dialect.name).distribute(driver())
            except Refusal as refused:
                raise click.ClickException(str(refused)) from None
        click.echo(f"Spread by channel: {', '.join(done)}." if done else "Everything is spread by channel already.")

    return db


def _users(create_app: Callable[[Settings], "Flask"]) -> click.Group:
    @click.group()
    def users() -> None:
        """People who may sign in."""

    @users.command("create")
    @click.option("--email", required=True, help="E-mail address to sign in with.")
    @click.option("--username", required=True, help="Name shown to others, 2 to 50 characters.")
    @click.option(
        "--role",
        type=click.Choice(["admin", "operator", "viewer"]),
        default="viewer",
        show_default=True,
        help="What the user may do.",
    )
    @click.option(
        "--password",
        envvar="WEBMACS_PASSWORD",
        prompt="Password (8 characters at least)",
        hide_input=True,
        confirmation_prompt=True,
        show_envvar=True,
        help="Asked for when left out; an argument would be readable in the list of processes.",
    )
    def create_user(email: str, username: str, role: str, password: str) -> None:
        """Create a user."""
        from webmacs.core.db import transaction  # only here: see _prepare
        from webmacs.core.errors import Refusal
        from webmacs.core.identity import Role, system
        from webmacs.features.accounts import operations
        from webmacs.features.accounts.schemas import UserIn

        with create_app(_settings()).app_context():
            try:
                new = UserIn(email=email, username=username, password=password, role=Role(role))
                with transaction():
                    operations.create(system(operations.ensure_organization().id), new)
            except ValidationError as refused:
                first = refused.errors()[0]
                raise click.ClickException(f"{first['loc'][0]}: {first['msg']}") from None
            except Refusal as refused:
                raise click.ClickException(str(refused)) from None
        click.echo(f"{username} can sign in as {role}.")

    return users


def _mail(create_app: Callable[[Settings], "Flask"]) -> click.Group:
    @click.group()
    def mail() -> None:
        """Mails."""

    @mail.command("test")
    @click.option("--to", required=True, help="E-mail address that gets the test.")
    def test_mail(to: str) -> None:
        """Send a mail at once, past the queue, and say what the mail server answers."""
        from webmacs.gateways.mail import MailError  # only here: see _prepare
        from webmacs.web import letters

        with create_app(_settings()).app_context():
            mailer = letters.mailer()
            if mailer is None:
                raise click.ClickException("no mail server is set: SMTP_HOST is empty")
            try:
                mailer.send(letters.letter(to, "test"))
            except MailError as refused:
                raise click.ClickException(str(refused)) from None
        click.echo(f"{mailer.host} took the mail to {to}.")

    return mail
