"""What a database that is away, busy or full says, and what we make of it."""

import logging
import sqlite3
from contextlib import closing

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from webmacs.core import outage
from webmacs.core.outage import FULL, SILENT, Seldom


@pytest.fixture
def path(tmp_path):
    """A file with an empty table."""
    with closing(sqlite3.connect(tmp_path / "some.db")) as database:
        database.execute("CREATE TABLE things (name TEXT)")
    return tmp_path / "some.db"


def full(path):
    """SQLite's error when there is no room."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA max_page_count = 2")
        with pytest.raises(sqlite3.OperationalError) as refused:
            database.execute("INSERT INTO things VALUES (?)", ["x" * 100_000])
    return refused.value


def busy(path):
    """SQLite's error when somebody else writes."""
    with closing(sqlite3.connect(path)) as other, closing(sqlite3.connect(path, timeout=0)) as database:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError) as refused:
            database.execute("BEGIN IMMEDIATE")
    return refused.value


def wrong(path):
    """SQLAlchemy's error for a statement that no waiting makes right; it speaks of something full."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection, pytest.raises(OperationalError) as refused:
        connection.execute(text("SELECT * FROM full_things"))
    engine.dispose()
    return refused.value


def no_room(_path):
    """PostgreSQL's error when there is no room."""
    return psycopg.errors.DiskFull("could not extend file: No space left on device")


def gone(_path):
    """PostgreSQL's error when it is stopped."""
    return psycopg.errors.AdminShutdown("terminating connection due to administrator command")


def wrapped(path):
    """SQLAlchemy's error around SQLite's."""
    return OperationalError("INSERT", None, full(path))


@pytest.mark.parametrize(
    ("make", "sentence", "is_away"),
    [
        (full, FULL, True),
        (wrapped, FULL, True),
        (no_room, FULL, True),
        (busy, SILENT, True),
        (gone, SILENT, True),
        (wrong, SILENT, False),
    ],
)
def test_each_trouble_has_its_sentence_and_only_a_wrong_statement_is_traced(path, caplog, make, sentence, is_away):
    error = make(path)
    assert (outage.sentence(error), outage.is_away(error)) == (sentence, is_away)
    outage.report(logging.getLogger("of this test"), f"{make.__name__} was told", error)
    (record,) = caplog.records
    assert (record.exc_info is None) is is_away


def test_the_same_trouble_is_logged_once_in_a_while_and_another_at_once(path, caplog):
    log = logging.getLogger("of this test")
    for _ in range(100):
        outage.report(log, "something was not written", full(path))
    outage.report(log, "something was not written", busy(path))
    assert len(caplog.records) == 2


def test_what_was_held_back_is_counted():
    often, once = Seldom(every=0.0), Seldom(every=3600.0)
    assert [often.due("a"), often.due("a")] == [0, 0]
    assert [once.due("a"), once.due("a"), once.due("b")] == [0, None, 0]
    once._every = 0.0
    assert [once.due("a"), once.due("a")] == [1, 0]
