"""Every change to exports."""

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from webmacs.core import clock, work
from webmacs.core.db import affected, db, emit
from webmacs.core.errors import Conflict
from webmacs.core.identity import Actor, system
from webmacs.core.ids import new_id
from webmacs.core.permissions import Can, authorize
from webmacs.features.exports import queries
from webmacs.features.exports.facts import ExportRequested
from webmacs.features.exports.models import Export
from webmacs.features.exports.schemas import ExportIn, Selection
from webmacs.gateways import files

MOST_OPEN = 20  # exports of one user that wait or are being written


def create(actor: Actor, wish: ExportIn) -> Export:
    """Ask for a file; a job writes it. What it names must be there now."""
    authorize(actor, Can.READ)
    queries.plan(actor, wish)
    is_open = select(Export.id).where(Export.user_id == actor.user_id, Export.state.in_(work.OPEN))
    if len(db.session.scalars(is_open.limit(MOST_OPEN)).all()) == MOST_OPEN:
        raise Conflict(f"{MOST_OPEN} of your exports are not finished yet. Wait for them, or cancel some.")
    now = clock.now()
    export = Export(
        public_id=new_id("xpt"),
        organization_id=actor.organization_id,
        user_id=actor.user_id,
        format=wish.format,
        name=f"webmacs_{now:%Y-%m-%d_%H%M%S}.{wish.format}",
        event_public_ids=None if wish.event_public_ids is None else json.dumps(wish.event_public_ids),
        experiment_public_id=wish.experiment_public_id,
        start=wish.start,
        stop=wish.stop,
        state="queued",
        created_on=now,
    )
    db.session.add(export)
    db.session.flush()
    emit(ExportRequested(actor.organization_id, export.public_id))
    return export


def cancel(actor: Actor, public_id: str) -> Export:
    """End an export that waits or is being written; its job notices within seconds."""
    authorize(actor, Can.READ)
    export = queries.get(actor, public_id)
    if not work.cancel(export):
        raise Conflict(f"The export is {export.state} already.")
    return export


def remove(actor: Actor, public_id: str) -> None:
    """Delete an export and its file; one that is being written is cancelled by it."""
    authorize(actor, Can.READ)
    export = queries.get(actor, public_id)
    db.session.delete(export)
    db.session.flush()
    emit(files.FileForsaken(actor.organization_id, queries.FOLDER, queries.file_of(export).name))


# --- what its job does ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """An export that a job has claimed, in plain values."""

    token: str
    actor: Actor
    wish: Selection
    format: str
    path: Path


def claim(public_id: str) -> Task | None:
    """Take an export to write it; None when it is not free (any more)."""
    token = work.claim(Export, public_id)
    if token is None:
        return None
    export = db.session.scalars(select(Export).where(Export.public_id == public_id)).one()
    wish = Selection(
        event_public_ids=None if export.event_public_ids is None else json.loads(export.event_public_ids),
        experiment_public_id=export.experiment_public_id,
        start=export.start,
        stop=export.stop,
    )
    return Task(token, system(export.organization_id), wish, export.format, queries.file_of(export))


def progress(task: Task, **values: Any) -> bool:
    """Write down how far the file is; False when it is no longer wanted."""
    return work.beat(Export, task.token, **values)


def settle(task: Task, state: str, *, keep: timedelta | None = None, **values: Any) -> bool:
    """End the export; its file is kept for `keep`. False when it was no longer wanted."""
    expires_on = None if keep is None else clock.now() + keep
    return work.settle(Export, task.token, state, expires_on=expires_on, **values)


def left_behind() -> list[str]:
    """The exports that nobody is at."""
    return list(work.left_behind(Export))


def expire() -> None:
    """End the exports whose time is over; the row stays and tells what there was."""
    over = (Export.state == "done", Export.expires_on < clock.now())
    affected(update(Export).where(*over).values(state="expired"))


def tidy() -> None:
    """Delete the files that belong to no export, or to one whose time is over."""
    wanted = select(Export).where(Export.state.in_(("done", *work.OPEN)))
    files.tidy(queries.FOLDER, {queries.file_of(export).name for export in db.session.scalars(wanted)})
