"""How long datapoints are kept, and what is on hold.

Revision: 0005_retention
Follows: 0004_partitions
"""

import sqlalchemy as sa
from alembic import op

revision = "0005_retention"
down_revision = "0004_partitions"


def upgrade() -> None:
    with op.batch_alter_table("spans") as batch_op:
        batch_op.add_column(sa.Column("is_held", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "retention_policies",
        sa.Column("organization_id", sa.Integer(), nullable=False),
        sa.Column("raw_days", sa.Integer(), nullable=True),
        sa.Column("rollup_days", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_retention_policies_organization_id_organizations")
        ),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_retention_policies")),
    )
    op.create_table(
        "channel_retentions",
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("organization_id", sa.Integer(), nullable=False),
        sa.Column("raw_days", sa.Integer(), nullable=True),
        sa.Column("rollup_days", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name=op.f("fk_channel_retentions_event_id_events"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_channel_retentions_organization_id_organizations")
        ),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_channel_retentions")),
    )
    op.create_table(
        "retention_runs",
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("rollups", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
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
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_retention_runs_organization_id_organizations")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_retention_runs_user_id_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_runs")),
        sa.UniqueConstraint("public_id", name=op.f("uq_retention_runs_public_id")),
    )
    op.create_index(op.f("ix_channel_retentions_organization_id"), "channel_retentions", ["organization_id"])
    op.create_index(op.f("ix_retention_runs_state"), "retention_runs", ["state"])
    op.create_index(op.f("ix_retention_runs_organization_id"), "retention_runs", ["organization_id"])


def downgrade() -> None:
    op.drop_table("retention_runs")
    op.drop_table("channel_retentions")
    op.drop_table("retention_policies")
    with op.batch_alter_table("spans") as batch_op:
        batch_op.drop_column("is_held")
