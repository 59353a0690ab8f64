"""Work that a row stands for: one job at a time claims it, tells how far it is, and settles it.

The row is the truth. A job that is rung twice finds nothing to claim; one that died is found by its missing heartbeat.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, String, Text, and_, or_, select, update
from sqlalchemy.orm import Mapped, mapped_column

from webmacs.core import clock, outage
from webmacs.core.db import Tenant, affected, db, transaction
from webmacs.core.ids import new_id
from webmacs.core.trail import UNAUDITED

DEAD_AFTER = timedelta(seconds=60)  # without a sign of life for so long a job counts as dead
ATTEMPTS = 5  # a row whose job died as often is given up
GIVEN_UP = f"It was begun {ATTEMPTS} times and its job died each time; the server's log may tell why."
OPEN = ("queued", "running")

log = logging.getLogger(__name__)


class UnwantedError(Exception):
    """The work was cancelled or deleted, or another job has it."""


class Work(Tenant):
    """Mixin of a table whose rows are carried out by jobs."""

    state: Mapped[str] = mapped_column(String(20), index=True)
    rows_done: Mapped[int] = mapped_column(BigInteger, default=0, info=UNAUDITED)
    rows_total: Mapped[int | None] = mapped_column(BigInteger, info=UNAUDITED)
    error: Mapped[str | None] = mapped_column(Text)
    created_on: Mapped[datetime]
    started_on: Mapped[datetime | None] = mapped_column(info=UNAUDITED)
    finished_on: Mapped[datetime | None] = mapped_column(info=UNAUDITED)
    expires_on: Mapped[datetime | None]
    beat_on: Mapped[datetime | None] = mapped_column(info=UNAUDITED)
    claimed_by: Mapped[str | None] = mapped_column(String(100), info=UNAUDITED)
    attempts: Mapped[int] = mapped_column(default=0, info=UNAUDITED)

    @property
    def is_open(self) -> bool:
        """Whether a job is still to come or at it."""
        return self.state in OPEN

    @property
    def percent(self) -> int | None:
        """How much is done, in whole percent; None while the whole is unknown."""
        return min(100, 100 * self.rows_done // self.rows_total) if self.rows_total else None


@contextmanager
def carried_out(
    public_id: str, fail: Callable[[str], object], broken: str, *refusals: type[Exception]
) -> Iterator[None]:
    """Around what a job does for a row that it claimed: what breaks there is settled by `fail(sentence)`.

    `refusals` bring their own sentence, everything else gets `broken`. Only when the database is away the row stays
    claimed: it is found by its missing heartbeat, and another job begins anew.
    """
    try:
        yield
    except UnwantedError:
        log.info("%s is no longer wanted", public_id)
    except refusals as refused:
        with transaction():
            fail(str(refused))
    except Exception as error:
        if not outage.is_away(error):
            with transaction():
                fail(broken)
        raise


def claim(kind: type[Work], public_id: str) -> str | None:
    """Take a row that waits, or whose job died; the token that the other functions ask for. None: it is not free."""
    now, token = clock.now(), new_id("run")
    dead = and_(kind.state == "running", kind.beat_on < now - DEAD_AFTER)
    taken = affected(
        update(kind)
        .where(kind.public_id == public_id, or_(kind.state == "queued", dead), kind.attempts < ATTEMPTS)
        .values(
            state="running",
            claimed_by=token,
            attempts=kind.attempts + 1,
            started_on=now,
            beat_on=now,
            rows_done=0,
            rows_total=None,
            error=None,
        )
    )
    return token if taken else None


def beat(kind: type[Work], token: str, **values: Any) -> bool:
    """Give a sign of life and write down how far the work is. False: it was cancelled, deleted, or is another's now."""
    return _write(kind, token, beat_on=clock.now(), **values)


def settle(kind: type[Work], token: str, state: str, **values: Any) -> bool:
    """End the work in a final state; False as in `beat`: then nothing was written."""
    return _write(kind, token, state=state, claimed_by=None, beat_on=None, finished_on=clock.now(), **values)


def cancel(row: Work) -> bool:
    """End what is open; its job finds out at its next beat. False: there was nothing to end any more."""
    kind = type(row)
    ended = affected(
        update(kind)
        .where(kind.id == row.id, kind.state.in_(OPEN))
        .values(state="cancelled", claimed_by=None, beat_on=None, finished_on=clock.now())
    )
    db.session.refresh(row)
    return bool(ended)


def left_behind(kind: type[Work]) -> Sequence[str]:
    """The rows that nobody is at, to ring for again; those whose job died too often are given up."""
    dead = and_(kind.state == "running", kind.beat_on < clock.now() - DEAD_AFTER)
    given_up = {"state": "failed", "error": GIVEN_UP, "claimed_by": None, "finished_on": clock.now()}
    affected(update(kind).where(dead, kind.attempts >= ATTEMPTS).values(given_up))
    waiting = select(kind.public_id).where(or_(kind.state == "queued", dead)).order_by(kind.id)
    return db.session.scalars(waiting).all()


def _write(kind: type[Work], token: str, **values: Any) -> bool:
    return bool(affected(update(kind).where(kind.claimed_by == token, kind.state == "running").values(**values)))
