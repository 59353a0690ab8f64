"""Spreading over a cluster: refused where there is none, and the schema is fit for it."""

import os
import re

import psycopg
import pytest
from sqlalchemy import inspect

from webmacs.__main__ import _create_app, _create_server
from webmacs.cli import build
from webmacs.core.db import db, driver, transaction
from webmacs.core.errors import Conflict
from webmacs.features.datapoints import store
from webmacs.features.datapoints.store import Row, cluster, postgresql

T = 1_790_000_000_000_000
CITUS = os.environ.get("WEBMACS_TEST_CITUS_URL")


def test_without_a_cluster_it_is_refused_and_nothing_changes(app, database):
    with app.app_context(), transaction(write=False), pytest.raises(Conflict) as refused:
        store.of(database).distribute(driver())
    assert ("SQLite" if database == "sqlite" else "Citus") in str(refused.value)


def test_the_command_says_why_it_refuses(site, database, monkeypatch):
    from click.testing import CliRunner

    monkeypatch.setenv("DATABASE_URL", site.installation(database).url)
    monkeypatch.setenv("WEBMACS_DATA_DIR", str(site.folder / "distribute"))
    answer = CliRunner().invoke(build(_create_app, _create_server), ["db", "distribute"])
    assert answer.exit_code == 1
    assert "Citus" in answer.output


def test_every_unique_key_of_a_spread_table_begins_with_the_channel(app):
    with app.app_context():
        look = inspect(db.engine)
        for table in cluster.TABLES:
            assert look.get_pk_constraint(table)["constrained_columns"][0] == "event_id", table
            assert look.get_foreign_keys(table) == [], table
            for index in look.get_indexes(table):
                assert not index["unique"] or "event_id" in index["column_names"], index


def test_every_statement_of_the_writer_names_the_channel():
    for statement in (postgresql.INSERT, postgresql.KEEP, postgresql.MARK, postgresql.COPY):
        assert re.search(r"\(event_id\b", statement), statement
    assert postgresql.TAKEN_UNTIL.count("event_id =") == 2


def test_the_tables_are_spread_together_by_channel_once(site):
    """With the functions of Citus as PostgreSQL itself can have them: names, types and order are the real ones."""
    with psycopg.connect(site.migrated("postgresql")) as connection:
        connection.execute("CREATE TABLE pg_dist_partition (logicalrelid regclass, shards_like text)")
        connection.execute(
            "CREATE FUNCTION create_distributed_table(table_name regclass, distribution_column text,"
            " distribution_type int DEFAULT 0, colocate_with text DEFAULT 'default') RETURNS void LANGUAGE sql AS"
            " $$ INSERT INTO pg_dist_partition VALUES (table_name, distribution_column || ' ' || colocate_with) $$"
        )
        assert cluster.spread(connection) == list(cluster.TABLES)
        assert cluster.spread(connection) == []
        found = dict(connection.execute("SELECT logicalrelid::text, shards_like FROM pg_dist_partition").fetchall())
    assert found.pop("datapoints") == "event_id default"
    assert found == dict.fromkeys(cluster.TABLES[1:], "event_id datapoints")


@pytest.mark.skipif(not CITUS, reason="WEBMACS_TEST_CITUS_URL names no Citus cluster")
def test_a_cluster_takes_points_once_and_gives_them_back(site):
    from webmacs.core import migrations
    from webmacs.factory import create_app

    app = create_app(site.settings(CITUS))
    migrations.upgrade(app)
    with app.app_context():
        with transaction():
            store.of("postgresql").distribute(driver())
        rows = [Row(1 + n % 50, T + n // 50 * 1000, n / 7) for n in range(5_000)]
        for _ in range(2):
            with transaction():
                assert list(store.of("postgresql").write(driver(), rows, [])) == []
        with transaction(write=False):
            found = driver().execute("SELECT event_id, ts, value FROM datapoints ORDER BY 1, 2").fetchall()
            plan = driver().execute("EXPLAIN SELECT * FROM datapoints WHERE event_id = 7 AND ts > 0").fetchall()
        assert found == sorted(rows)
        assert any("Task Count: 1" in line for (line,) in plan)
        db.engine.dispose()
    migrations.downgrade(app, "base")
