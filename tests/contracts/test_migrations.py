"""The migrations make what the models say, on both databases, and take it away again."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from webmacs.core import migrations
from webmacs.core.db import db
from webmacs.factory import create_app

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def revisions():
    """Every revision, the first one first."""
    return list(reversed(list(ScriptDirectory(str(ROOT / "migrations")).walk_revisions())))


@pytest.fixture
def bare(site, database):
    """An application over a database in which there is nothing yet."""
    app = create_app(site.settings(site.fresh(database)))
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def _tables(app):
    with app.app_context():
        names = {name for name in inspect(db.engine).get_table_names() if migrations.include_name(name, "table", {})}
        return names - {"alembic_version", "sqlite_sequence"}


def _schema(app):
    """Table → columns, indexes and constraints, as the database tells them."""
    with app.app_context():
        look = inspect(db.engine)
        return {
            table: (
                sorted((c["name"], str(c["type"]), c["nullable"]) for c in look.get_columns(table)),
                sorted((i["name"] or "", str(i["column_names"]), i["unique"]) for i in look.get_indexes(table)),
                sorted(str(u["column_names"]) for u in look.get_unique_constraints(table)),
                sorted((str(f["constrained_columns"]), f["referred_table"]) for f in look.get_foreign_keys(table)),
            )
            for table in _tables(app)
        }


def test_the_models_equal_the_migrations(app):
    with app.app_context(), db.engine.connect() as connection:
        opts = {"compare_type": True, "compare_server_default": True, "include_name": migrations.include_name}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, db.metadata) == []


def test_the_migrations_run_up_step_by_step_down_and_up_again(bare, revisions):
    seen = [_schema(bare)]
    for revision in revisions:
        migrations.upgrade(bare, revision.revision)
        seen.append(_schema(bare))
    assert _tables(bare) == {table.name for table in db.metadata.sorted_tables}
    for expected, revision in zip(reversed(seen[:-1]), reversed(revisions), strict=True):
        migrations.downgrade(bare, revision.down_revision or "base")
        assert _schema(bare) == expected, revision.revision
    assert _tables(bare) == set()
    migrations.upgrade(bare)
    assert _schema(bare) == seen[-1]


def test_migrating_twice_changes_nothing(bare):
    migrations.upgrade(bare)
    before = _schema(bare)
    migrations.upgrade(bare)
    assert _schema(bare) == before


def test_there_is_one_line_of_revisions(revisions):
    script = ScriptDirectory(str(ROOT / "migrations"))
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1
    for revision in revisions:
        assert revision.doc, revision.revision


def test_every_table_that_belongs_to_somebody_says_to_whom():
    of_all = {"organizations", "users", "claims", "idempotency_keys", "datapoints", "latest_datapoints"}
    of_all |= {"mails", "resets"}  # a person belongs to several organizations, and so does their mailbox
    of_all |= {"audit_entries", "audit_chains"}  # their `chain` says it: the organization, or the installation
    of_all |= {"rollups", "rollup_state", "stale_blocks", "raw_from", "sso_put_aside"}
    # a person's own, wherever they work
    of_all |= {"authenticators", "passkeys", "recovery_codes", "factor_steps"}
    # these hang on a row that has an organization
    by_parent = {"refresh_tokens", "channel_mappings", "span_events", "identities", "sso_logins"}
    for table in db.metadata.sorted_tables:
        if table.name not in of_all | by_parent:
            assert not table.c["organization_id"].nullable, table.name
        if table.name in by_parent:
            assert any(not column.nullable for key in table.foreign_keys for column in [key.parent]), table.name
