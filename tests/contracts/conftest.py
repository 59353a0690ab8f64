"""What the contracts share."""

import hashlib
from collections.abc import Callable

import pytest
from sqlalchemy import select

from tests.make import Lab, Person
from webmacs.core.db import db
from webmacs.core.identity import Role


@pytest.fixture
def ada(lab: Lab) -> Person:
    """Who may do everything: the administrator of the laboratory and of the installation."""
    return lab.chief(lab.person("ada", Role.ADMIN))


@pytest.fixture
def fingerprint(lab: Lab) -> Callable[[], str]:
    """A digest of everything that is in the database but the audit trail: that something was refused stands there."""

    def digest() -> str:
        seen = hashlib.sha256()
        with lab.arrival(write=False):
            for table in db.metadata.sorted_tables:
                if table.name.startswith("audit_"):
                    continue
                rows = sorted(str(tuple(row)) for row in db.session.execute(select(table)))
                seen.update(f"{table.name}{rows}".encode())
        return seen.hexdigest()

    return digest
