"""What the tests of the audit trail share: its entries, whether it is whole, and a way past its triggers."""

import pytest
from sqlalchemy import select, text

from webmacs.core.db import db, is_sqlite
from webmacs.core.identity import Role
from webmacs.features.audit import decide, operations, queries
from webmacs.features.audit.models import AuditEntry


@pytest.fixture(autouse=True)
def _fresh_limit(monkeypatch):
    """Nobody's refusals of an earlier test count."""
    monkeypatch.setattr(operations, "limit", decide.Limit())


@pytest.fixture
def trail(lab):
    """The entries of somebody's organization (None: the installation's), oldest first, after the first so many."""

    def read(person=None, after=0):
        chain = person.actor.organization_id if person is not None else 0
        with lab.arrival(write=False):
            mine = select(AuditEntry).where(AuditEntry.chain == chain, AuditEntry.number > after)
            found = db.session.scalars(mine.order_by(AuditEntry.number)).all()
            db.session.expunge_all()  # they stay readable
            return found

    return read


@pytest.fixture
def verdict(lab):
    """Walks all chains."""

    def walk():
        with lab.arrival(write=False):
            return queries.verify()

    return walk


@pytest.fixture
def tamper(lab):
    """Runs SQL as somebody who owns the database: the triggers are off meanwhile."""

    def run(*statements):
        with lab.app.app_context(), db.engine.begin() as connection:
            guards = []
            if is_sqlite():
                guards = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
                for name, _ in guards:
                    connection.execute(text(f"DROP TRIGGER {name}"))
            else:
                connection.execute(text("ALTER TABLE audit_entries DISABLE TRIGGER USER"))
            touched = [connection.execute(text(statement)).rowcount for statement in statements]
            for _, sql in guards:
                connection.execute(text(sql))
            if not is_sqlite():
                connection.execute(text("ALTER TABLE audit_entries ENABLE TRIGGER USER"))
        assert all(touched), touched

    return run


@pytest.fixture
def ada(lab):
    """The administrator of the laboratory and of the installation."""
    return lab.chief(lab.person("ada", Role.ADMIN))
