"""Single sign-on: identities at providers, the logins that they opened, what is put aside for one use.

Revision: 0010_single_sign_on
Follows: 0009_audit
"""

import sqlalchemy as sa
from alembic import op

revision = "0010_single_sign_on"
down_revision = "0009_audit"


def upgrade() -> None:
    op.create_table(
        "identities",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=100), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("provider_name", sa.String(length=255), nullable=False),
        sa.Column("linked_on", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_identities_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_identities_issuer_subject")),
        sa.UniqueConstraint("public_id", name=op.f("uq_identities_public_id")),
        sa.UniqueConstraint("user_id", "issuer", name=op.f("uq_identities_user_id_issuer")),
    )
    op.create_table(
        "sso_put_aside",
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("expires_on", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("pk_sso_put_aside")),
    )
    with op.batch_alter_table("sso_put_aside", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sso_put_aside_expires_on"), ["expires_on"], unique=False)

    op.create_table(
        "sso_logins",
        sa.Column("login_id", sa.Integer(), nullable=False),
        sa.Column("identity_id", sa.Integer(), nullable=False),
        sa.Column("provider_key", sa.String(length=32), nullable=False),
        sa.Column("sid", sa.String(length=255), nullable=True),
        sa.Column("id_token", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["identity_id"], ["identities.id"], name=op.f("fk_sso_logins_identity_id_identities"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["login_id"], ["logins.id"], name=op.f("fk_sso_logins_login_id_logins"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("login_id", name=op.f("pk_sso_logins")),
    )
    with op.batch_alter_table("sso_logins", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sso_logins_identity_id"), ["identity_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_sso_logins_sid"), ["sid"], unique=False)


def downgrade() -> None:
    op.drop_table("sso_logins")
    op.drop_table("sso_put_aside")
    op.drop_table("identities")
