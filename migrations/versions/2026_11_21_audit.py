"""The audit trail.

Revision: 0009_audit
Follows: 0008_request_limits
"""

import sqlalchemy as sa
from alembic import op

revision = "0009_audit"
down_revision = "0008_request_limits"

SAID = "the audit trail is append-only"
SQLITE = tuple(
    f"CREATE TRIGGER audit_entries_no_{verb} BEFORE {verb} ON audit_entries BEGIN SELECT RAISE(ABORT, '{SAID}'); END"
    for verb in ("update", "delete")
)
POSTGRESQL = (
    f"""CREATE FUNCTION audit_entries_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '{SAID}'; END $$""",
    """CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_refuse()""",
)


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("chain", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.String(length=100), nullable=False),
        sa.Column("occurred_on", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_public_id", sa.String(length=100), nullable=True),
        sa.Column("username", sa.String(length=255), nullable=False),
        sa.Column("via", sa.String(length=20), nullable=False),
        sa.Column("session_public_id", sa.String(length=100), nullable=True),
        sa.Column("verb", sa.String(length=100), nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("object_public_id", sa.String(length=100), nullable=True),
        sa.Column("object_name", sa.Text(), nullable=True),
        sa.Column("old", sa.Text(), nullable=False),
        sa.Column("new", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("address", sa.String(length=100), nullable=True),
        sa.Column("request_id", sa.String(length=100), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=True),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
        sa.UniqueConstraint("public_id", name=op.f("uq_audit_entries_public_id")),
        sa.UniqueConstraint("chain", "number", name=op.f("uq_audit_entries_chain_number")),
    )
    op.create_index("ix_audit_entries_chain_id", "audit_entries", ["chain", "id"], unique=False)
    op.create_index(op.f("ix_audit_entries_object_public_id"), "audit_entries", ["object_public_id"], unique=False)
    op.create_table(
        "audit_chains",
        sa.Column("chain", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("seal", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("chain", name=op.f("pk_audit_chains")),
    )
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("audit_chains")
    op.drop_table("audit_entries")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_entries_refuse()")
