"""Whose side an arrival is on: PostgreSQL itself shows it one organization's rows, also where a query forgot to filter.

The migration `row_security` makes the role and the policies. What is said here ends with the transaction: nothing stays
behind on a connection. SQLite has nothing of the kind; there the queries stand alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg.pq import ExecStatus, TransactionStatus
from sqlalchemy import Engine, event

from webmacs.core import outage
from webmacs.core.db import current, db, driver, is_sqlite
from webmacs.core.errors import NotFound

# Citus knows no policies that look into another table: there the queries stand alone too.
ENTER = """SELECT set_config('role', 'webmacs_tenant', true), set_config('webmacs.organization', '%d', true)
WHERE to_regclass('pg_catalog.pg_dist_partition') IS NULL"""
LEAVE = "SELECT set_config('role', 'none', true)"


def enter(organization_id: int) -> None:
    """From here on the open arrival sees and changes the rows of one organization only."""
    work = current()
    if work is None:
        raise RuntimeError("an organization entered outside a transaction")
    if work.tenant not in (None, organization_id):
        raise RuntimeError("an arrival belongs to one organization")
    if work.tenant is None:
        _change_sides(ENTER % organization_id)
        work.tenant = organization_id


def leave() -> None:
    """Let what is left of the arrival be the owner's: before the commit, to write what belongs to others too."""
    work = current()
    if work is not None and work.tenant is not None:
        _change_sides(LEAVE)
        work.tenant = None


@contextmanager
def as_owner(proof: str | None = None) -> Iterator[None]:
    """Step out of the organization for what concerns several, or what PostgreSQL grants to the owner of a table only.

    `proof` is a condition in SQL that the database must find true within the organization; `NotFound` when it does not.
    Whoever steps out stands in a list in tests/contracts/test_row_security.py, with the reason.
    """
    work = current()
    if work is None or work.tenant is None:
        yield
        return
    tenant = work.tenant
    if proof is None:
        _change_sides(LEAVE)
    elif not is_sqlite() and not _change_sides(f"{LEAVE} WHERE {proof}", begin=True):
        raise NotFound("Event")
    work.tenant = None
    try:
        yield
        _change_sides(ENTER % tenant)
    except BaseException:
        # what failed is rolled back, if only to a savepoint from before, and that takes the role along
        if _is_under_way() and db.session.is_active:
            connection = driver()
            if connection.pgconn.transaction_status == TransactionStatus.INTRANS:
                _send(connection, ENTER % tenant)
        raise
    finally:
        work.tenant = tenant


def begin_within(connection: Any, organization_id: int) -> None:
    """Begin a transaction on psycopg's own connection, within an organization."""
    # together with the BEGIN, which psycopg would send on a trip of its own
    _send(connection, f"BEGIN;{ENTER % organization_id}")


@event.listens_for(Engine, "begin")
def _begin_postgresql(connection: Any) -> None:
    work = current()
    if connection.dialect.name == "postgresql" and work is not None and work.tenant is not None:
        begin_within(connection.connection.driver_connection, work.tenant)


def _change_sides(text: str, *, begin: bool = False) -> int:
    """Say it in a transaction that is under way (one that begins later does so by itself); the number of its rows."""
    if not begin and not _is_under_way():
        return 0
    db.session.flush()  # what was done so far was done on this side
    return _send(driver(), text)


def _is_under_way() -> bool:
    return not is_sqlite() and db.session().in_transaction()


def _send(connection: Any, text: str) -> int:
    """Run a text of several statements in one trip; the number of rows of the last one."""
    libpq = connection.pgconn
    result = libpq.exec_(text.encode())
    if result.status not in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
        raise outage.told_by(libpq, result)
    return int(result.ntuples)
