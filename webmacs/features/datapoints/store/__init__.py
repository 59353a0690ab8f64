"""Where datapoints are kept: what differs between the databases stands behind one interface.

A store writes inside a transaction that its caller has opened on the driver's connection, and never commits.
Reads that are the same SQL everywhere stay in `queries.py` and `series.py`.
"""

from webmacs.features.datapoints.store.base import BLOCK, Columns, Point, Row, Store
from webmacs.features.datapoints.store.postgresql import PostgresqlStore
from webmacs.features.datapoints.store.sqlite import SqliteStore

__all__ = ["BLOCK", "Columns", "Point", "Row", "Store", "of"]

_STORES: dict[str, Store] = {"sqlite": SqliteStore(), "postgresql": PostgresqlStore()}


def of(dialect: str) -> Store:
    """The store for a database, by SQLAlchemy's name of it."""
    return _STORES[dialect]
