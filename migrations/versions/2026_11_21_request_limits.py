"""How many requests a minute an API token may send.

Revision: 0008_request_limits
Follows: 0007_factors
"""

import sqlalchemy as sa
from alembic import op

revision = "0008_request_limits"
down_revision = "0007_factors"


def upgrade() -> None:
    with op.batch_alter_table("api_tokens") as batch_op:
        batch_op.add_column(sa.Column("requests_per_minute", sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("api_tokens") as batch_op:
        batch_op.drop_column("requests_per_minute")
