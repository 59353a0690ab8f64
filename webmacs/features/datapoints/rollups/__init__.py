"""Rollups of datapoints: the keeper that folds them (`fold`), and what others have to tell it.

Every row is computed from the points themselves. A block of ten minutes that is marked stale counts for nothing until
it is folded again.
"""

from collections.abc import Sequence

from sqlalchemy import delete, func, literal, select, text, update

from webmacs.core.db import db, is_sqlite, upsert
from webmacs.features.datapoints.decide import BLOCK, DAY
from webmacs.features.datapoints.models import datapoints, raw_from, rollup_state, rollups, stale_blocks
from webmacs.features.datapoints.rollups.keeper import fold
from webmacs.features.datapoints.schemas import LAST
from webmacs.features.datapoints.store.postgresql import ROLLUP_LOCK

__all__ = ["fold", "forget", "let_go", "mark_stale"]


def mark_stale(event_ids: Sequence[int], start: int, stop: int) -> None:
    """Mark the blocks of the points with start ≤ ts < stop, which the caller is about to delete or change.

    In the caller's transaction, before the deletion: the points tell which blocks there are.
    """
    if not is_sqlite():  # the keeper does not move on while points vanish that are not marked yet
        db.session.execute(select(func.pg_advisory_xact_lock_shared(ROLLUP_LOCK)))
    t, s = datapoints.c, stale_blocks.c
    touched = (
        select(t.event_id, (t.ts // BLOCK).label("block"), literal(1))
        .where(t.event_id.in_(event_ids), t.ts >= start, t.ts < stop)
        .distinct()
        .order_by(t.event_id, text("block"))  # two that mark in the same order cannot deadlock
    )
    marked = upsert(stale_blocks).from_select(["event_id", "block", "marks"], touched)
    db.session.execute(marked.on_conflict_do_update(index_elements=[s.event_id, s.block], set_={"marks": s.marks + 1}))


def forget(event_ids: Sequence[int], start: int = 0, stop: int = LAST) -> None:
    """Delete the rollups and marks of channels in [start, stop), in the caller's transaction.

    Only days that lie in it as a whole, unless it is all of time. The points are the caller's.
    """
    if stop < LAST:
        start, stop = -(-start // DAY) * DAY, stop // DAY * DAY
    _overtake()
    r, s = rollups.c, stale_blocks.c
    db.session.execute(delete(rollups).where(r.event_id.in_(event_ids), r.start >= start, r.start < stop))
    within = (s.block >= start // BLOCK, s.block < stop // BLOCK)
    db.session.execute(delete(stale_blocks).where(s.event_id.in_(event_ids), *within))
    if (start, stop) == (0, LAST):
        db.session.execute(delete(raw_from).where(raw_from.c.event_id.in_(event_ids)))


def let_go(event_id: int, until: int) -> int:
    """Say that the points of a channel before `until` are being deleted while their rollups stay.

    In the caller's transaction, before the deletion. Returns how far the deletion may go: to the beginning of a block,
    and no further than the rollups tell the truth.
    """
    _overtake()
    state = db.session.scalar(select(rollup_state.c.whole_until)) or 0
    s = stale_blocks.c
    stale = db.session.scalar(select(func.min(s.block)).where(s.event_id == event_id))
    known = db.session.scalar(select(raw_from.c.ts).where(raw_from.c.event_id == event_id)) or 0
    reached = max(known, min(until, state, LAST if stale is None else stale * BLOCK) // BLOCK * BLOCK)
    told = upsert(raw_from).values(event_id=event_id, ts=reached)
    db.session.execute(told.on_conflict_do_update(index_elements=[raw_from.c.event_id], set_={"ts": reached}))
    return reached


def _overtake() -> None:
    """Let a keeper that is under way start again: what it has read is no longer true. Before anything is deleted."""
    db.session.execute(update(rollup_state).values(turn=rollup_state.c.turn + 1))
