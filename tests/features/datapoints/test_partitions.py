"""The partitions of PostgreSQL: made ahead, made when a writer meets a new month, and gone without harm."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import psycopg
import pytest
from sqlalchemy import text

from webmacs.core import clock, migrations
from webmacs.core.db import Wire, db
from webmacs.factory import create_app
from webmacs.features.datapoints import store
from webmacs.features.datapoints.store import Row, partitions
from webmacs.features.datapoints.store.partitions import Partition, wanted

NOW = datetime(2026, 11, 21, tzinfo=UTC)
MICROS = 1_000_000


def _us(*date):
    return clock.to_micros(datetime(*date, tzinfo=UTC))


@pytest.fixture
def engine(site):
    """A database of its own on PostgreSQL, as the migrations leave it: its partitions are nobody else's."""
    app = create_app(site.settings(site.migrated("postgresql")))
    with app.app_context():
        yield db.engine
        db.engine.dispose()


def _write(engine, *rows):
    with closing(Wire(engine)) as wire, wire.transaction() as connection:
        store.of("postgresql").write(connection, [Row(*row) for row in rows], [])


def _listed(engine):
    with engine.connect() as connection:
        return partitions.listed(connection.connection.driver_connection)


def _count(engine, table="datapoints"):
    with engine.connect() as connection:
        return connection.scalar(text(f"SELECT count(*) FROM {table}"))  # noqa: S608 - our own names


def _drop(engine, name):
    with engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {name}"))


def test_a_plausible_moment_gets_its_month():
    assert wanted(_us(2026, 12, 31, 23, 59, 59), NOW, []) == Partition(
        "datapoints_y2026m12", _us(2026, 12, 1), _us(2027, 1, 1)
    )


def test_a_moment_far_away_gets_its_year_unless_a_month_of_it_stands():
    far = Partition("datapoints_y2040", _us(2040, 1, 1), _us(2041, 1, 1))
    assert wanted(_us(2040, 5, 5), NOW, []) == far
    month = Partition("datapoints_y2040m02", _us(2040, 2, 1), _us(2040, 3, 1))
    assert wanted(_us(2040, 5, 5), NOW, [month]).name == "datapoints_y2040m05"


def test_the_months_to_come_are_made_ahead_and_only_once(engine):
    for _ in range(2):
        with engine.connect() as connection:
            store.of("postgresql").make_ahead(connection.connection.driver_connection)
    now = clock.now()
    found = _listed(engine)
    assert len({p.name for p in found}) == len(found) >= 3
    assert any(p.start <= clock.to_micros(now) < p.stop for p in found)
    assert any(p.start <= clock.to_micros(now + timedelta(days=31)) < p.stop for p in found)
    assert all(one.stop == next_one.start for one, next_one in pairwise(found))


def test_a_writer_makes_the_month_that_it_meets_even_when_it_is_rolled_back(engine):
    moment = clock.to_micros(clock.now() - timedelta(days=400))
    with pytest.raises(ZeroDivisionError):
        _fail_after(engine, Row(1, moment, 1.0))
    assert _count(engine) == 0
    assert any(p.start <= moment < p.stop for p in _listed(engine))
    _write(engine, (1, moment, 1.0))
    assert _count(engine) == 1


def _fail_after(engine, row):
    with closing(Wire(engine)) as wire, wire.transaction() as connection:
        store.of("postgresql").write(connection, [row], [])
        raise ZeroDivisionError


def test_a_batch_over_many_months_and_years_lands_in_all_of_them(engine):
    start = clock.to_micros(clock.now())
    rows = [(event, start - n * 9 * 86_400 * MICROS, float(n)) for event in (1, 2) for n in range(80)]
    rows += [(1, 0, 1.0), (1, _us(2199, 12, 31), 2.0)]
    _write(engine, *rows)
    _write(engine, *rows)
    assert _count(engine) == len(rows)
    found = _listed(engine)
    assert sum(_count(engine, p.name) for p in found) == len(rows)
    assert len(found) > 24


def test_writers_that_meet_a_new_month_together_make_it_once(engine):
    moment = clock.to_micros(clock.now() - timedelta(days=800))
    barrier = threading.Barrier(4)

    def write(n):
        barrier.wait()
        _write(engine, (1, moment, 1.0), (1, moment + n, 1.0))

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(write, n) for n in range(1, 5)]:
            done.result(30)
    assert _count(engine) == 5


@pytest.mark.parametrize("count", [1, 300])
def test_a_partition_that_was_dropped_meanwhile_comes_back(engine, count):
    moment = clock.to_micros(clock.now() - timedelta(days=200))
    rows = [(1, moment + n, 1.0) for n in range(count)]
    _write(engine, *rows)
    (name,) = [p.name for p in _listed(engine) if p.start <= moment < p.stop]
    _drop(engine, name)
    _write(engine, *rows)
    assert _count(engine) == count


def test_a_new_month_waits_for_nobody_who_reads_or_writes(engine):
    now = clock.to_micros(clock.now())
    with closing(Wire(engine)) as wire, wire.transaction() as connection, engine.connect() as reader:
        store.of("postgresql").write(connection, [Row(1, now, 1.0)], [])
        assert reader.scalar(text("SELECT count(*) FROM datapoints")) == 0
        _write(engine, (2, now - 900 * 86_400 * MICROS, 1.0))
    assert _count(engine) == 2


def test_the_migration_moves_what_there_is_and_takes_it_back(site):
    app = create_app(site.settings(site.fresh("postgresql")))
    migrations.upgrade(app, "0003_exports")
    rows = [
        (e, _us(year, month, 1) - 1 + n, n / 3)
        for e in (1, 2)
        for year, month in ((2024, 3), (2026, 1))
        for n in (0, 1)
    ]
    with app.app_context():
        with db.engine.begin() as connection:
            for row in rows:
                connection.execute(
                    text("INSERT INTO datapoints (event_id, ts, value) VALUES (:e, :t, :v)"),
                    dict(zip("etv", row, strict=True)),
                )
        for step in (migrations.upgrade, lambda app: migrations.downgrade(app, "0003_exports"), migrations.upgrade):
            step(app)
            with db.engine.connect() as connection:
                found = connection.execute(text("SELECT event_id, ts, value FROM datapoints ORDER BY 1, 2")).all()
            assert [tuple(row) for row in found] == sorted(rows)
        names = {p.name for p in _listed(db.engine)}
        assert {"datapoints_y2024m02", "datapoints_y2024m03", "datapoints_y2025m12", "datapoints_y2026m01"} <= names
        db.engine.dispose()


def test_reading_a_channel_in_the_order_of_time_needs_no_sort_and_leaves_other_months_alone(engine):
    now = clock.to_micros(clock.now())
    _write(engine, *((1, now - n * 86_400 * MICROS, 1.0) for n in range(0, 200, 5)))
    with engine.connect() as connection, psycopg.ClientCursor(connection.connection.driver_connection) as cursor:
        cursor.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        plan = "\n".join(
            row[0]
            for row in cursor.execute(
                "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT ts, value FROM datapoints"
                " WHERE event_id = 1 AND ts >= 0 AND ts < %s ORDER BY ts LIMIT 3",
                [now + 86_400 * MICROS],
            )
        )
    assert "Sort" not in plan
    assert "Merge" not in plan
    assert "never executed" in plan
