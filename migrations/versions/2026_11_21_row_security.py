"""Row-level security, and the role that arrivals take on (PostgreSQL).

Revision: 0012_row_security
Follows: 0011_renewals
"""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op
from psycopg.errors import DuplicateObject, InsufficientPrivilege, UniqueViolation

revision = "0012_row_security"
down_revision = "0011_renewals"

ROLE = "webmacs_tenant"
ENTERED = "NULLIF(current_setting('webmacs.organization', true), '')::int"

OWNED = (
    *("memberships", "logins", "api_tokens", "log_entries", "events", "spans", "experiments", "plugin_instances"),
    *("exports", "imports", "retention_policies", "channel_retentions", "retention_runs"),
)
OF_A_CHANNEL = ("datapoints", "latest_datapoints", "rollups", "raw_from", "stale_blocks")
MINE = "IN (SELECT id FROM {})"  # asked within its own policy
OF_MY_CHANNEL = f"event_id {MINE.format('events')}"
# table → whose rows are seen, and which rows may be written when that is not the same
POLICIES: dict[str, tuple[str, ...]] = {
    "organizations": (f"id = {ENTERED}",),
    **dict.fromkeys(OWNED, (f"organization_id = {ENTERED}",)),
    **dict.fromkeys(OF_A_CHANNEL, (OF_MY_CHANNEL,)),
    "audit_entries": (f"chain = {ENTERED}",),
    "span_events": (f"span_id {MINE.format('spans')}",),
    "channel_mappings": (
        f"plugin_instance_id {MINE.format('plugin_instances')}",
        f"plugin_instance_id {MINE.format('plugin_instances')} AND (event_id IS NULL OR {OF_MY_CHANNEL})",
    ),
}
CLOSED = ("alembic_version", "claims", "audit_chains")  # nobody within an organization has anything to do with these

NOT_ALLOWED = """The user {user} of the database may not {what}. Let an administrator of PostgreSQL run this once, and migrate again:

    {command}
"""


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    _provide_role(connection)
    schema = connection.dialect.identifier_preparer.quote(connection.scalar(sa.text("SELECT current_schema()")))
    if not connection.scalar(sa.text(f"SELECT has_schema_privilege('{ROLE}', current_schema(), 'USAGE')")):
        op.execute(f"GRANT USAGE ON SCHEMA {schema} TO {ROLE}")
    rights = "SELECT, INSERT, UPDATE, DELETE"
    op.execute(f"GRANT {rights} ON ALL TABLES IN SCHEMA {schema} TO {ROLE}")
    op.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {ROLE}")
    op.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT {rights} ON TABLES TO {ROLE}")
    op.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE ON SEQUENCES TO {ROLE}")
    for table in CLOSED:
        op.execute(f"REVOKE ALL ON {table} FROM {ROLE}")
    op.execute(f"REVOKE INSERT, UPDATE, DELETE ON audit_entries FROM {ROLE}")
    for table, (seen, *written) in POLICIES.items():
        check = f" WITH CHECK ({written[0]})" if written else ""
        op.execute(f"CREATE POLICY tenant ON {table} USING ({seen}){check}")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    for partition in _partitions(connection):
        # without a policy of its own: within an organization it is reached through `datapoints` only
        op.execute(f'ALTER TABLE "{partition}" ENABLE ROW LEVEL SECURITY')


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for partition in _partitions(connection):
        op.execute(f'ALTER TABLE "{partition}" DISABLE ROW LEVEL SECURITY')
    for table in POLICIES:
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        op.execute(f"DROP POLICY IF EXISTS tenant ON {table}")
    schema = connection.dialect.identifier_preparer.quote(connection.scalar(sa.text("SELECT current_schema()")))
    op.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} REVOKE ALL ON SEQUENCES FROM {ROLE}")
    op.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} REVOKE ALL ON TABLES FROM {ROLE}")
    op.execute(f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {ROLE}")
    op.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {ROLE}")
    # the role stays: it belongs to the whole server, and another database of it may be in use


def _partitions(connection: sa.Connection) -> list[str]:
    found = sa.text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'datapoints'::regclass")
    return [name.strip('"') for name in connection.scalars(found)]


def _provide_role(connection: sa.Connection) -> None:
    """Make the role when there is none, and let the user of the database take it on."""
    user = connection.dialect.identifier_preparer.quote(connection.scalar(sa.text("SELECT current_user")))
    exists = sa.text("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :role)")
    if not connection.scalar(exists, {"role": ROLE}):
        # NOLOGIN and no BYPASSRLS: it can do nothing but be taken on
        with _allowed(connection, user, "create roles", f"CREATE ROLE {ROLE} NOLOGIN ROLE {user};"):
            op.execute(f"CREATE ROLE {ROLE} NOLOGIN")
    if not _can_take_on(connection):
        with _allowed(connection, user, f"take on the role {ROLE}", f"GRANT {ROLE} TO {user};"):
            op.execute(f"GRANT {ROLE} TO CURRENT_USER")


def _can_take_on(connection: sa.Connection) -> bool:
    attempt = connection.begin_nested()
    try:
        op.execute(f"SET LOCAL ROLE {ROLE}")
    except sa.exc.ProgrammingError:
        return False
    finally:
        attempt.rollback()
    return True


@contextmanager
def _allowed(connection: sa.Connection, user: str, what: str, command: str) -> Iterator[None]:
    attempt = connection.begin_nested()
    try:
        yield
        attempt.commit()
    except sa.exc.DBAPIError as refused:
        attempt.rollback()
        if isinstance(refused.orig, InsufficientPrivilege):
            told = NOT_ALLOWED.format(user=user, what=what, command=command)
            raise RuntimeError(told) from None  # noqa: TRY004 - the commands tell it as it is
        if not isinstance(refused.orig, DuplicateObject | UniqueViolation):  # another database was faster
            raise
