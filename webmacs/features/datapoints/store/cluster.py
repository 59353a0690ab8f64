"""Spreading the datapoints of PostgreSQL over the workers of a Citus cluster, by channel."""

from psycopg import Connection
from psycopg.sql import SQL, Identifier

from webmacs.core.errors import Conflict

# Every key of these begins with the channel and every statement names it, so each channel lives on one worker as a
# whole. All else stays on the coordinator: it is small.
TABLES = ("datapoints", "latest_datapoints", "rollups", "stale_blocks", "raw_from")

HAS_CITUS = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')"
IS_SPREAD = "SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = %s::regclass)"
# Citus refuses policies that look into another table (core/db.py does not rely on them there)
OPEN = "ALTER TABLE {0} DISABLE ROW LEVEL SECURITY; DROP POLICY IF EXISTS tenant ON {0}"
SPREAD = "SELECT create_distributed_table(%s::regclass, 'event_id', colocate_with => %s)"


def check(connection: Connection) -> None:
    """Raise `Conflict` when this is no coordinator of a Citus cluster."""
    row = connection.execute(HAS_CITUS).fetchone()
    if row is None or not row[0]:
        raise Conflict("This PostgreSQL has no Citus: install it on every node and run CREATE EXTENSION citus first.")


def spread(connection: Connection) -> list[str]:
    """Spread the tables that are not yet, in the caller's transaction; returns their names."""
    done = []
    for table in TABLES:
        row = connection.execute(IS_SPREAD, [table]).fetchone()
        if row is None or not row[0]:
            connection.execute(SQL(OPEN).format(Identifier(table)))
            connection.execute(SPREAD, [table, "default" if table == TABLES[0] else TABLES[0]])
            done.append(table)
    return done
