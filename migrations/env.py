"""Runs migrations on the application's own engine, one transaction for each."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import context
from flask import current_app
from sqlalchemy import Connection

from webmacs.core.db import UtcDateTime
from webmacs.core.migrations import include_name

db = current_app.extensions["migrate"].db


def render(kind: str, thing: Any, autogen_context: Any) -> str | bool:
    """Write our own types as the plain ones below them, so that old migrations never depend on today's code."""
    if kind == "type" and isinstance(thing, UtcDateTime):
        autogen_context.imports.add("import sqlalchemy as sa")
        return "sa.DateTime(timezone=True)"
    return False


@contextmanager
def alone(connection: Connection) -> Iterator[None]:
    """Two hosts that start together must not migrate together. SQLite locks its file by itself."""
    if connection.dialect.name != "postgresql":
        yield
        return
    connection.exec_driver_sql("SELECT pg_advisory_lock(20261121)")
    connection.commit()
    try:
        yield
    finally:
        # the lock belongs to the connection, and that goes back to its pool
        connection.rollback()
        connection.exec_driver_sql("SELECT pg_advisory_unlock(20261121)")
        connection.commit()


def run() -> None:
    """Migrate online."""
    with db.engine.connect() as connection, alone(connection):
        context.configure(
            connection=connection,
            target_metadata=db.metadata,
            render_as_batch=True,
            render_item=render,
            include_name=include_name,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
