"""Exports and imports of datapoints.

Revision: 0003_exports
Follows: 0002_rollups
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003_exports"
down_revision = "0002_rollups"


def upgrade() -> None:
    op.create_table(
        "exports",
        sa.Column("format", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("event_public_ids", sa.Text(), nullable=True),
        sa.Column("experiment_public_id", sa.String(length=100), nullable=True),
        sa.Column("start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stop", sa.DateTime(timezone=True), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        *_work("exports"),
    )
    op.create_table(
        "imports",
        sa.Column("filename", sa.String(length=255), nullable=False),
        sa.Column("format", sa.String(length=20), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("mapping", sa.Text(), nullable=True),
        sa.Column("is_check", sa.Boolean(), nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.Column("problems", sa.Text(), nullable=True),
        *_work("imports"),
    )
    for table in ("exports", "imports"):
        for column in ("state", "user_id", "organization_id"):
            op.create_index(op.f(f"ix_{table}_{column}"), table, [column], unique=False)


def _work(table: str) -> list[Any]:
    """The columns of every table whose rows are carried out by jobs."""
    return [
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("rows_done", sa.BigInteger(), nullable=False),
        sa.Column("rows_total", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_on", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_on", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_on", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_on", sa.DateTime(timezone=True), nullable=True),
        sa.Column("beat_on", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_by", sa.String(length=100), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=100), nullable=False),
        sa.Column("organization_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f(f"fk_{table}_organization_id_organizations")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f(f"fk_{table}_user_id_users"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("public_id", name=op.f(f"uq_{table}_public_id")),
    ]


def downgrade() -> None:
    op.drop_table("imports")
    op.drop_table("exports")
