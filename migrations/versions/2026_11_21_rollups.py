"""Rollups of datapoints.

Revision: 0002_rollups
Follows: 0001_house
"""

import sqlalchemy as sa
from alembic import op

revision = "0002_rollups"
down_revision = "0001_house"


def upgrade() -> None:
    op.create_table(
        "rollups",
        sa.Column("event_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("width", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("low_ts", sa.BigInteger(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("high_ts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "width", "start", name=op.f("pk_rollups")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("open_from", sa.BigInteger(), nullable=False),
        sa.Column("whole_until", sa.BigInteger(), nullable=False),
        sa.Column("turn", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollup_state")),
    )
    op.create_table(
        "raw_from",
        sa.Column("event_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_raw_from")),
    )
    op.create_table(
        "stale_blocks",
        sa.Column("event_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("marks", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "block", name=op.f("pk_stale_blocks")),
    )


def downgrade() -> None:
    op.drop_table("stale_blocks")
    op.drop_table("raw_from")
    op.drop_table("rollup_state")
    op.drop_table("rollups")
