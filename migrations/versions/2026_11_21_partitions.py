"""Monthly partitions of the datapoints (PostgreSQL).

Revision: 0004_partitions
Follows: 0003_exports
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0004_partitions"
down_revision = "0003_exports"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KEY = "CONSTRAINT pk_datapoints PRIMARY KEY (event_id, ts)"
TIMES = "ts bigint NOT NULL, value double precision NOT NULL"
QUALITY = "quality smallint DEFAULT '0' NOT NULL"
# the two short columns side by side: PostgreSQL aligns the long ones, and each row is eight bytes smaller
COLUMNS = f"(event_id integer NOT NULL, {QUALITY}, {TIMES}, {KEY})"
COLUMNS_BEFORE = f"(event_id integer NOT NULL, {TIMES}, {QUALITY}, {KEY})"


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    op.execute("ALTER TABLE datapoints RENAME TO datapoints_before")
    op.execute("ALTER INDEX pk_datapoints RENAME TO pk_datapoints_before")
    op.execute(f"CREATE TABLE datapoints {COLUMNS} PARTITION BY RANGE (ts)")
    now = datetime.now(UTC)
    found = connection.execute(
        sa.text("SELECT DISTINCT date_trunc('month', to_timestamp(ts / 1e6), 'UTC') FROM datapoints_before")
    )
    months = {(month.astimezone(UTC).year, month.astimezone(UTC).month) for month in found.scalars()}
    for year, month in sorted(months | {(now.year, now.month), _after(now.year, now.month)}):
        start, stop = _micros(year, month), _micros(*_after(year, month))
        op.execute(
            f"CREATE TABLE datapoints_y{year:04}m{month:02} PARTITION OF datapoints FOR VALUES FROM ({start}) TO ({stop})"
        )
    op.execute(
        "INSERT INTO datapoints (event_id, ts, value, quality) SELECT event_id, ts, value, quality FROM datapoints_before ORDER BY event_id, ts"
    )
    op.execute("DROP TABLE datapoints_before")
    # updated with every batch: with room on its page a row stays where it is, and no index entry is written
    op.execute("ALTER TABLE latest_datapoints SET (fillfactor = 50)")


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("ALTER TABLE latest_datapoints RESET (fillfactor)")
    op.execute("ALTER TABLE datapoints RENAME TO datapoints_before")
    op.execute("ALTER INDEX pk_datapoints RENAME TO pk_datapoints_before")
    op.execute(f"CREATE TABLE datapoints {COLUMNS_BEFORE}")
    op.execute(
        "INSERT INTO datapoints (event_id, ts, value, quality) SELECT event_id, ts, value, quality FROM datapoints_before ORDER BY event_id, ts"
    )
    op.execute("DROP TABLE datapoints_before")


def _after(year: int, month: int) -> tuple[int, int]:
    return year + month // 12, month % 12 + 1


def _micros(year: int, month: int) -> int:
    return int((datetime(year, month, 1, tzinfo=UTC) - EPOCH).total_seconds()) * 1_000_000
