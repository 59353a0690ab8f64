"""Organizations with members, users that can be disabled, tokens that can be limited.

Revision: 0006_identity
Follows: 0005_retention
"""

import sqlalchemy as sa
from alembic import op

revision = "0006_identity"
down_revision = "0005_retention"


def upgrade() -> None:
    op.create_table(
        "memberships",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("organization_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("joined_on", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_memberships_user_id_users"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_memberships_organization_id_organizations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_memberships")),
        sa.UniqueConstraint("user_id", "organization_id", name=op.f("uq_memberships_user_id_organization_id")),
    )
    op.create_index(op.f("ix_memberships_organization_id"), "memberships", ["organization_id"])
    op.execute(
        "INSERT INTO memberships (user_id, organization_id, role, joined_on)"
        " SELECT id, organization_id, role, registered_on FROM users ORDER BY id"
    )
    with op.batch_alter_table("organizations") as batch_op:
        batch_op.create_unique_constraint(op.f("uq_organizations_name"), ["name"])
    for table in ("logins", "api_tokens"):
        with op.batch_alter_table(table) as batch_op:
            batch_op.add_column(sa.Column("organization_id", sa.Integer(), nullable=True))
        op.execute(
            f"UPDATE {table} SET organization_id ="  # noqa: S608 - the names stand two lines above
            f" (SELECT organization_id FROM users WHERE users.id = {table}.user_id)"
        )
        with op.batch_alter_table(table) as batch_op:
            batch_op.alter_column("organization_id", existing_type=sa.Integer(), nullable=False)
            batch_op.create_foreign_key(
                op.f(f"fk_{table}_organization_id_organizations"), "organizations", ["organization_id"], ["id"]
            )
    with op.batch_alter_table("api_tokens") as batch_op:
        batch_op.add_column(sa.Column("scopes", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("networks", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("events", sa.JSON(), nullable=True))
        batch_op.create_index(op.f("ix_api_tokens_organization_id"), ["organization_id"])
    with op.batch_alter_table("users") as batch_op:
        batch_op.add_column(sa.Column("is_installation_admin", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("disabled_on", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True))
    # whoever made the installation goes on administering it
    op.execute(
        "UPDATE users SET is_installation_admin = true WHERE id ="
        " (SELECT min(id) FROM users WHERE role = 'admin' AND NOT is_service)"
    )
    with op.batch_alter_table("users") as batch_op:
        batch_op.alter_column("is_installation_admin", existing_type=sa.Boolean(), server_default=None)
        batch_op.drop_index("ix_users_organization_id")
        batch_op.drop_constraint("fk_users_organization_id_organizations", type_="foreignkey")
        batch_op.drop_column("organization_id")
        batch_op.drop_column("role")


def downgrade() -> None:
    with op.batch_alter_table("users") as batch_op:
        batch_op.add_column(sa.Column("organization_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("role", sa.String(20), server_default="viewer", nullable=False))
    # the membership that came first: an account had one organization then
    first = "FROM memberships WHERE memberships.user_id = users.id ORDER BY memberships.id LIMIT 1"
    op.execute(f"UPDATE users SET organization_id = (SELECT organization_id {first}), role = (SELECT role {first})")  # noqa: S608 - our own text
    with op.batch_alter_table("users") as batch_op:
        batch_op.alter_column("organization_id", existing_type=sa.Integer(), nullable=False)
        batch_op.alter_column("role", existing_type=sa.String(20), server_default=None)
        batch_op.create_foreign_key(
            "fk_users_organization_id_organizations", "organizations", ["organization_id"], ["id"]
        )
        batch_op.create_index("ix_users_organization_id", ["organization_id"])
        batch_op.drop_column("last_login_at")
        batch_op.drop_column("disabled_on")
        batch_op.drop_column("is_installation_admin")
    with op.batch_alter_table("api_tokens") as batch_op:
        batch_op.drop_index(op.f("ix_api_tokens_organization_id"))
        for column in ("events", "networks", "scopes"):
            batch_op.drop_column(column)
    for table in ("api_tokens", "logins"):
        with op.batch_alter_table(table) as batch_op:
            batch_op.drop_constraint(op.f(f"fk_{table}_organization_id_organizations"), type_="foreignkey")
            batch_op.drop_column("organization_id")
    with op.batch_alter_table("organizations") as batch_op:
        batch_op.drop_constraint(op.f("uq_organizations_name"), type_="unique")
    op.drop_table("memberships")
