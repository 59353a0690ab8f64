"""The database: one session, one transaction for each arrival, and the only place that commits."""

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, ClassVar, cast

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import CursorResult, DateTime, Dialect, Engine, ForeignKey, MetaData, String, Table, UpdateBase, event
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from webmacs.core import outage, trail
from webmacs.core.facts import Fact, reactions


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC moment on both databases (SQLite has no zones: it keeps the naive UTC value)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive moments: guessing a zone is how an hour gets lost."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Always aware, always UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of all tables; constraint names are fixed so that migrations can name them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    __unaudited__: ClassVar[str]  # why the audit trail does not tell of changes to this table; without it, it does
    __audited_as__: ClassVar[str]  # what it calls a row, when that is not the table's name

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        for key in ("unaudited", "audited_as"):
            if f"__{key}__" in vars(cls):
                cast("Table", cls.__table__).info[key] = vars(cls)[f"__{key}__"]


Base.registry.update_type_annotation_map({datetime: UtcDateTime})

db = SQLAlchemy(
    model_class=Base,
    # no autoflush by surprise on expired rows: what an operation returned stays readable after the commit
    session_options={"expire_on_commit": False},
)


class Tenant:
    """Mixin of every tenant-owned table: internal key, public id, owning organization."""

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(100), unique=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"), index=True)


class Turns:
    """Whose turn it is to write to SQLite: first come, first served.

    SQLite itself lets writers sleep and try again: many of them are slower together than one alone, and some starve.
    Other processes are none of its business; between those SQLite's own lock decides.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._is_taken = False
        self._since = 0.0  # time.monotonic() at which the turn began

    def take(self, patience: float, places: int | None = None) -> bool:
        """Wait for one's turn, at most `patience` seconds; False when it did not come.

        When `places` others wait already, only as long as a turn usually takes: something else holds them all up.
        """
        with self._mutex:
            if not self._is_taken:
                self._is_taken, self._since = True, time.monotonic()
                return True
            if places is not None and len(self._waiting) >= places:
                patience = min(patience, max(0.0, self._since + LONG_TURN - time.monotonic()))
            mine = threading.Event()
            self._waiting.append(mine)
        if mine.wait(patience):
            return True
        with self._mutex:
            if mine.is_set():  # it came at the last moment
                return True
            self._waiting.remove(mine)
        return False

    def give(self) -> None:
        """Let the next one go."""
        with self._mutex:
            if self._waiting:
                self._since = time.monotonic()
                self._waiting.popleft().set()
            else:
                self._is_taken = False


class Transaction:
    """The open unit of work of one arrival."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.kept = True
        self.turns: Turns | None = None  # whose turn it holds
        self.origin = trail.origin()
        self.who: trail.Who | None = None  # who it turned out to be
        self.changes: dict[Any, trail.Change] = {}
        self.saved: list[dict[Any, trail.Change]] = []  # the changes as they were at each open savepoint
        self.last_saved: dict[Any, trail.Change] = {}  # … and at the one that ended last
        self.refusals: list[trail.Refused] = []  # of this arrival
        self.told: list[trail.Refused] = []  # of another one, to be written by this one
        self.anyway: list[Callable[[], None]] = []  # what has to be done although the rest is undone
        self.tenant: int | None = None  # the organization that it has entered

    def take_turn(self, turns: Turns) -> None:
        """Wait until nobody else of this process writes; kept until the transaction ends."""
        if self.turns is None:
            if not turns.take(PATIENCE, PLACES):
                raise OperationalError("BEGIN IMMEDIATE", None, sqlite3.OperationalError(LOCKED))
            self.turns = turns

    def abandon(self) -> None:
        """Undo everything at the end instead of committing (the answer was a refusal)."""
        self.kept = False


PATIENCE = 10.0  # seconds that a writer waits for its turn
LONG_TURN = 1.0  # seconds after which a turn is no longer a usual one
PLACES = 8  # arrivals that may wait out a longer one: half of the threads, so that the others go on answering
LOCKED = "database is locked"  # SQLite's own words for a turn that did not come

log = logging.getLogger(__name__)
_turns = Turns()
_open: ContextVar[Transaction | None] = ContextVar("transaction", default=None)
_writing: ContextVar[bool] = ContextVar("writing", default=False)


@contextmanager
def transaction(*, write: bool = True) -> Iterator[Transaction]:
    """Wrap one arrival: commit when the block ends well, roll back when it raises or was abandoned.

    An inner call joins the outer one. `write=False` never commits.
    After the commit, and only then, the reactions wired to the emitted facts run.
    """
    outer = _open.get()
    if outer is not None:
        yield outer
        return
    work = Transaction()
    opened, writing = _open.set(work), _writing.set(write)
    try:
        yield work
        if work.kept and write:
            db.session.flush()
            if work.changes or work.told:
                trail.installed.ledger.append(work)
            db.session.commit()
        else:
            db.session.rollback()
    except BaseException:
        db.session.rollback()
        raise
    finally:
        if work.turns is not None:
            work.turns.give()
        _writing.reset(writing)
        _open.reset(opened)
        _leave_marks(work)
    if work.kept and write:
        for fact in work.facts:
            reactions.after(fact)


def _leave_marks(work: Transaction) -> None:
    """What was refused is rolled back: that it was refused, and what has to follow, is kept in one of its own."""
    if work.anyway:
        with transaction():
            for deed in work.anyway:
                deed()
    if not work.refusals:
        return
    chosen = trail.installed.ledger.choose(work)
    if not chosen:
        return
    try:
        with transaction() as own:
            own.origin, own.who, own.told = work.origin, work.who, chosen
    except outage.AWAY as error:  # the refusal itself stands: it is answered
        outage.report(log, "a refused access was not entered in the audit trail", error)


def current() -> Transaction | None:
    """The open transaction."""
    return _open.get()


def act_as(organization_id: int | None, user_id: int) -> None:
    """Tell the audit trail who it is that the arrival came for: it began as nobody's."""
    work = _open.get()
    if work is not None:
        work.who = trail.Who(organization_id, user_id)


def note(change: trail.Change) -> None:
    """Tell the audit trail of something that no row of an audited table shows."""
    work = _open.get()
    if work is not None:
        work.changes[object()] = change


def note_refusal(refusal: trail.Refused) -> None:
    """Tell the audit trail of an access that is being refused; it is kept although the arrival is rolled back."""
    work = _open.get()
    if work is not None:
        work.refusals.append(refusal)


def do_anyway(deed: Callable[[], None]) -> None:
    """Do it after the open transaction, in one of its own: for the refusal that has to leave a mark."""
    work = _open.get()
    if work is None:
        raise RuntimeError("nothing is open that could be undone")
    work.anyway.append(deed)


def emit(fact: Fact) -> None:
    """Tell that something happened, inside the open transaction."""
    work = _open.get()
    if work is None:
        raise RuntimeError("a fact outside a transaction")
    work.facts.append(fact)
    reactions.inside(fact)


def affected(statement: UpdateBase) -> int:
    """Run an UPDATE or DELETE past the objects of the session; returns how many rows it touched."""
    result = db.session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount


def upsert(table: Any) -> Any:
    """An INSERT that understands ON CONFLICT, of the database in use."""
    insert = sqlite_insert if is_sqlite() else postgresql_insert
    return insert(table)


def driver() -> Any:
    """The driver's own connection inside the open transaction, for the few statements whose speed counts."""
    return db.session.connection().connection.driver_connection


def is_sqlite() -> bool:
    """Whether the application runs on SQLite."""
    return db.engine.dialect.name == "sqlite"


@event.listens_for(Engine, "connect")
def _prepare_sqlite(connection: Any, _record: Any) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    # The driver must not open transactions by itself: it opens them late, and savepoints then leak.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",  # a 2xx survives the plug being pulled, not only a killed process
        "foreign_keys=ON",
        f"busy_timeout={PATIENCE * 1000:.0f}",
        "journal_size_limit=67108864",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@event.listens_for(Engine, "begin")
def _begin_sqlite(connection: Any) -> None:
    if connection.dialect.name == "sqlite":
        # A writer takes the lock first: upgrading a reader later fails at once instead of waiting its turn.
        work = _open.get()
        if work is not None and _writing.get():
            work.take_turn(_turns)
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("BEGIN")


class Wire:
    """A connection of its own for a writer outside every arrival; it knows neither session nor facts.

    `patience` is how long it waits, in seconds, for others who write to SQLite. Not thread-safe.
    """

    def __init__(self, engine: Engine, patience: float = PATIENCE) -> None:
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._patience = patience
        self._borrowed: Any = None

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """Yield the driver's connection; commit when the block ends well, else roll back and connect anew next time."""
        if self._is_sqlite and not _turns.take(self._patience):
            raise OperationalError("BEGIN IMMEDIATE", None, sqlite3.OperationalError(LOCKED))
        try:
            if self._borrowed is None:
                self._borrowed = self._engine.raw_connection()
                if self._is_sqlite:
                    self._borrowed.driver_connection.execute(f"PRAGMA busy_timeout={self._patience * 1000:.0f}")
            driver = self._borrowed.driver_connection
            if self._is_sqlite:
                driver.execute("BEGIN IMMEDIATE")
            yield driver
            driver.commit()
        except BaseException:
            self.close()
            raise
        finally:
            if self._is_sqlite:
                _turns.give()

    def close(self) -> None:
        """Let go of the connection; what was not committed is rolled back."""
        borrowed, self._borrowed = self._borrowed, None
        if borrowed is not None:
            with suppress(Exception):  # it may be broken, that is why it is closed
                # closing alone leaves a transaction of SQLite open for as long as somebody holds one of its cursors
                borrowed.driver_connection.rollback()
            with suppress(Exception):
                borrowed.invalidate()
            with suppress(Exception):
                borrowed.close()


def engine_options(url: str) -> dict[str, Any]:
    """How connections are kept for this kind of database."""
    if url.startswith("sqlite"):
        return {"pool_size": 20, "connect_args": {"check_same_thread": False}}
    return {"pool_size": 20, "max_overflow": 10, "pool_pre_ping": True, "connect_args": {"connect_timeout": 5}}
