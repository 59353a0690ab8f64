"""Makers: whatever a test needs, made by the operations themselves, in one line."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any

import pyotp
from flask import Flask, has_app_context
from sqlalchemy import Engine, event, select
from werkzeug.test import Client, TestResponse

from webmacs.core import clock
from webmacs.core.db import db, driver, transaction
from webmacs.core.identity import Actor, Role
from webmacs.core.ids import new_id
from webmacs.features.accounts import operations as accounts
from webmacs.features.accounts.models import Login, Membership, Organization, User
from webmacs.features.audit.models import AuditEntry
from webmacs.features.datapoints import operations as datapoints
from webmacs.features.datapoints import store
from webmacs.features.datapoints.admit import Reading
from webmacs.features.datapoints.operations import Recorded
from webmacs.features.datapoints.store import Row
from webmacs.features.events import operations as events
from webmacs.features.events.models import Event
from webmacs.features.events.schemas import EventIn
from webmacs.features.experiments import operations as experiments
from webmacs.features.experiments.models import Experiment
from webmacs.features.experiments.schemas import ExperimentIn
from webmacs.features.exports import jobs as export_jobs
from webmacs.features.exports import operations as exports
from webmacs.features.exports.models import Export
from webmacs.features.exports.schemas import ExportIn
from webmacs.features.factors import operations as factors
from webmacs.features.factors.models import Authenticator, Passkey
from webmacs.features.imports import operations as imports
from webmacs.features.imports.models import Import
from webmacs.features.invitations import operations as invitations
from webmacs.features.invitations.models import Invitation
from webmacs.features.invitations.schemas import InvitationIn
from webmacs.features.logs import operations as logs
from webmacs.features.logs.models import LogEntry
from webmacs.features.logs.schemas import LogIn
from webmacs.features.mails import jobs as mail_jobs
from webmacs.features.mails import queries as mail_queries
from webmacs.features.plugins import operations as plugins
from webmacs.features.plugins.models import ChannelMapping, PluginInstance
from webmacs.features.plugins.schemas import InstanceIn, MappingIn
from webmacs.features.sso import operations as sso
from webmacs.features.sso.models import Identity
from webmacs.features.sso.schemas import Visitor
from webmacs.features.tokens import operations as tokens
from webmacs.features.tokens.models import ApiToken
from webmacs.features.tokens.schemas import TokenIn
from webmacs.gateways.sealing import sealer
from webmacs.gateways.signing import hash_password
from webmacs.providers import IdentityProvider

PASSWORD = "correct horse battery"
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

_numbers = count(1)


@cache
def password_hash() -> str:
    """The hash of everybody's password, computed once: it is slow on purpose."""
    return hash_password(PASSWORD)


@dataclass(frozen=True)
class Person:
    """Somebody who can sign in, with an open login of each kind."""

    actor: Actor
    email: str
    bearer: str
    session: str

    @property
    def public_id(self) -> str:
        """The user's public id."""
        return str(self.actor.public_id)

    @property
    def username(self) -> str:
        """The user's name."""
        return self.actor.username


class Api:
    """A JSON client that sends a bearer credential (None: none) and checks nothing by itself."""

    def __init__(self, app: Flask, bearer: str | None = None) -> None:
        self.bearer = bearer
        self._client = Client(app)

    def send(self, method: str, path: str, body: Any = None, **others: Any) -> TestResponse:
        """Send a request with a JSON body (None: without a body)."""
        headers = dict(others.pop("headers", {}))
        if self.bearer is not None:
            headers.setdefault("Authorization", f"Bearer {self.bearer}")
        if body is not None:
            others["json"] = body
        others.setdefault("buffered", True)  # read to the end and closed, as a server does
        return self._client.open(path, method=method, headers=headers, **others)

    def get(self, path: str, **others: Any) -> TestResponse:
        """GET; `query_string` as werkzeug takes it."""
        return self.send("GET", path, **others)

    def post(self, path: str, body: Any = None, **others: Any) -> TestResponse:
        """POST."""
        return self.send("POST", path, body, **others)

    def put(self, path: str, body: Any = None, **others: Any) -> TestResponse:
        """PUT."""
        return self.send("PUT", path, body, **others)

    def delete(self, path: str, **others: Any) -> TestResponse:
        """DELETE."""
        return self.send("DELETE", path, **others)


class Lab:
    """Makers over one application. Everything they make is committed."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    @contextmanager
    def arrival(self, *, write: bool = True) -> Iterator[None]:
        """What an edge does around one request: a context and one transaction. Inside another one it joins in."""
        context: AbstractContextManager[object] = nullcontext() if has_app_context() else self.app.app_context()
        with context, transaction(write=write):
            yield

    def organization(self, name: str = "Laboratory") -> int:
        """The internal id of an organization, made when there is none of this name."""
        with self.arrival():
            found = db.session.scalar(select(Organization.id).where(Organization.name == name))
            if found is None:
                row = Organization(public_id=new_id("org"), name=name, created_on=clock.now())
                db.session.add(row)
                db.session.flush()
                found = row.id
            return found

    def organization_id_of(self, who: Person) -> str:
        """The public id of the organization of one of the cast."""
        with self.arrival(write=False):
            return db.session.get_one(Organization, who.actor.organization_id).public_id

    def person(self, username: str, role: Role = Role.VIEWER, *, organization: str = "Laboratory") -> Person:
        """A user with an open login for JSON and one for the browser. Everybody's password is PASSWORD."""
        with self.arrival():
            where = self.organization(organization)
            user = User(
                public_id=new_id("usr"),
                email=f"{username}@lab.example",
                username=username,
                password_hash=password_hash(),
                registered_on=clock.now(),
            )
            member = Membership(user=user, organization_id=where, role=role, joined_on=clock.now())
            jwt, session = self._login(user, where, "jwt"), self._login(user, where, "browser")
            db.session.add_all([user, member, jwt, session])
            db.session.flush()
            actor = Actor(user.id, user.public_id, username, where, role, "jwt", jwt.public_id)
            return Person(actor, user.email, accounts.access_token(jwt), session.public_id)

    def invitation(self, who: Person, email: str, role: Role = Role.VIEWER) -> tuple[Invitation, str]:
        """An open invitation and its code."""
        with self.arrival():
            made, code = invitations.invite(who.actor, InvitationIn(email=email, role=role), by_mail=False)
        assert code is not None
        return made, code

    def send_mails(self) -> None:
        """Run the jobs of the mails that are due."""
        with self.app.app_context():
            with transaction(write=False):
                due = mail_queries.due()
            for public_id in due:
                mail_jobs.send(public_id)

    def join(self, who: Person, organization: str, role: Role = Role.VIEWER) -> None:
        """Make somebody a member of another organization too."""
        with self.arrival():
            accounts.add_member(db.session.get_one(User, who.actor.user_id), self.organization(organization), role)

    def chief(self, who: Person) -> Person:
        """Make somebody an installation administrator."""
        with self.arrival():
            db.session.get_one(User, who.actor.user_id).is_installation_admin = True
        return replace(who, actor=replace(who.actor, role=Role.ADMIN, is_installation_admin=True))

    def _login(self, user: User, organization_id: int, via: str) -> Login:
        now = clock.now()
        return Login(
            public_id=new_id("ses"),
            user=user,
            organization_id=organization_id,
            via=via,
            device="test",
            created_on=now,
            last_used_at=now,
            expires_on=now + timedelta(hours=24),
        )

    def token(
        self, who: Person, name: str = "Script", expires_at: datetime | None = None, **limits: Any
    ) -> tuple[ApiToken, str]:
        """An API token and its secret; `limits` are scopes, networks and events."""
        limits = {"scopes": None, "networks": None, "events": None} | limits
        with self.arrival():
            return tokens.create(who.actor, TokenIn.model_construct(name=name, expires_at=expires_at, **limits))

    def second_factor(self, who: Person) -> tuple[pyotp.TOTP, list[str]]:
        """An authenticator app that counts, and recovery codes."""
        user_id, secret = who.actor.user_id or 0, pyotp.random_base32()
        sealed = sealer.seal(secret, f"authenticator of {user_id}")
        with self.arrival():
            now = clock.now()
            row = Authenticator(user_id=user_id, sealed_secret=sealed, created_on=now, confirmed_on=now)
            db.session.add(row)
            factors.confirm(who.actor)
            return pyotp.TOTP(secret), factors.renew_recovery_codes(who.actor)

    def passkey(self, who: Person, name: str = "Blue key") -> Passkey:
        """A passkey that no device holds."""
        with self.arrival():
            row = Passkey(
                public_id=new_id("key"),
                user_id=who.actor.user_id or 0,
                name=name,
                rp_id="localhost",
                credential_id=new_id("credential"),
                public_key="",
                sign_count=0,
                created_on=clock.now(),
            )
            db.session.add(row)
            db.session.flush()
            return row

    def identity(self, who: Person) -> Identity:
        """Who somebody is at an identity provider; another provider's each time."""
        provider = IdentityProvider(key="campus", provider_name="Campus", issuer_url="https://x.example", client_id="x")
        issuer = f"https://login.example/{next(_numbers)}"
        visitor = Visitor(provider, issuer, "4711", None, False, None, {}, None, "")
        with self.arrival():
            return sso.link(who.actor, visitor)

    def event(self, who: Person, **fields: Any) -> Event:
        """A channel; a sensor from 0 to 100 °C unless told otherwise."""
        given = {"name": f"Channel {next(_numbers)}", "type": "sensor", "unit": "°C", "min_value": 0, "max_value": 100}
        with self.arrival():
            return events.create(who.actor, EventIn.model_validate(given | fields))

    def record(self, who: Person, event: Event, *values: float, at: datetime | None = None) -> Recorded:
        """Values of one channel, a second apart from `at` on (None: the server's clock)."""
        start = None if at is None else clock.to_micros(at)
        batch = [
            Reading(event.public_id, value, None if start is None else start + index * 1_000_000)
            for index, value in enumerate(values)
        ]
        with self.arrival():
            return datapoints.record(who.actor, batch)

    def samples(self, event: Event, samples: Iterable[tuple[int, float]]) -> None:
        """Many datapoints (microseconds since 1970, value) at once, past the operation."""
        rows = [Row(event.id, ts, value) for ts, value in samples]
        with self.arrival():
            store.of(db.engine.dialect.name).write(driver(), rows, [])

    def experiment(
        self, who: Person, name: str | None = None, scope: Sequence[Event] | None = None, **times: datetime | None
    ) -> Experiment:
        """A running experiment; `started` and `stopped` move its ends."""
        public_ids = None if scope is None else [event.public_id for event in scope]
        with self.arrival():
            made = experiments.start(
                who.actor, ExperimentIn(name=name or f"Run {next(_numbers)}", event_public_ids=public_ids)
            )
            if (started := times.get("started")) is not None:
                made.span.started_us = clock.to_micros(started)
            if (stopped := times.get("stopped")) is not None:
                made.span.stopped_us = clock.to_micros(stopped)
            return made

    def stop(self, who: Person, experiment: Experiment) -> None:
        """End an experiment now."""
        with self.arrival():
            experiments.stop(who.actor, experiment.public_id)

    def export(self, who: Person, *, written: bool = True, **wish: Any) -> Export:
        """An export, CSV of everything unless told otherwise, and unless it shall wait its file."""
        with self.arrival():
            made = exports.create(who.actor, ExportIn.model_validate({"format": "csv"} | wish))
        with self.app.app_context():
            if written:
                export_jobs.write(made.public_id)
        return made

    def upload(self, who: Person, content: str | bytes, name: str = "history.csv") -> Import:
        """An uploaded file of history."""
        data = content.encode() if isinstance(content, str) else content
        with self.arrival():
            return imports.create(who.actor, name, [data])

    def log(self, who: Person, content: str = "Something happened.", **fields: Any) -> LogEntry:
        """An entry of the log book."""
        with self.arrival():
            return logs.write(who.actor, LogIn.model_validate({"content": content, **fields}))

    def last_entry(self, who: Person) -> AuditEntry:
        """The newest entry of the audit trail of somebody's organization."""
        with self.arrival():
            mine = select(AuditEntry).where(AuditEntry.chain == who.actor.organization_id)
            return db.session.scalars(mine.order_by(AuditEntry.id.desc()).limit(1)).one()

    def instance(self, who: Person, **fields: Any) -> PluginInstance:
        """A plugin instance; of a driver that is not installed, hence without channels, unless told otherwise."""
        given = {"plugin_id": "none", "instance_name": f"Instance {next(_numbers)}"}
        with self.arrival():
            return plugins.create(who.actor, InstanceIn.model_validate(given | fields))

    def mapping(
        self, who: Person, instance: PluginInstance, event: Event | None = None, **fields: Any
    ) -> ChannelMapping:
        """A channel of an instance, linked to `event`."""
        number = next(_numbers)
        given = {
            "channel_id": f"channel_{number}",
            "channel_name": f"Channel {number}",
            "direction": "input",
            "unit": "°C",
            "event_public_id": event.public_id if event else None,
        }
        with self.arrival():
            return plugins.add_mapping(who.actor, instance.public_id, MappingIn.model_validate(given | fields))


class Statements(list[str]):
    """The SQL statements that ran while it was open, without those that only begin and end transactions."""


@contextmanager
def statements() -> Iterator[Statements]:
    """Collect the SQL statements that run inside the block, whoever runs them."""
    seen = Statements()

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.upper().startswith(("BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "PRAGMA")):
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)
