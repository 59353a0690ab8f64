"""Where datapoints are kept: what differs between the databases stands behind one interface.

A store writes inside a transaction that its caller has opened on the driver's connection, and never commits.
Reads that are the same SQL everywhere stay in `queries.py` and `series.py`.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from webmacs.core.tenancy import as_owner
from webmacs.features.datapoints.store.base import BLOCK, Columns, Point, Row, Store
from webmacs.features.datapoints.store.postgresql import PostgresqlStore
from webmacs.features.datapoints.store.sqlite import SqliteStore

__all__ = ["BLOCK", "Columns", "Point", "Row", "Store", "engine_at", "of"]

_STORES: dict[str, Store] = {"sqlite": SqliteStore(), "postgresql": PostgresqlStore()}


def of(dialect: str) -> Store:
    """The store for a database, by SQLAlchemy's name of it."""
    return _STORES[dialect]


@contextmanager
def engine_at(event_ids: Collection[int]) -> Iterator[None]:
    """Let the engine at some channels as the owner of the tables, once the database itself has found within the
    organization that it has each of them; else `NotFound`.

    The policies of these tables would look through the list of channels again with each statement and each row, and
    PostgreSQL lets nobody but the owner COPY into a table that has one.
    """
    ids = set(event_ids)
    listed = ",".join(str(int(event_id)) for event_id in ids)
    with as_owner(f"(SELECT count(*) FROM events WHERE id = ANY ('{{{listed}}}')) = {len(ids)}"):  # noqa: S608 - numbers only
        yield
