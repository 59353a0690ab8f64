"""Every change to imports."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from webmacs.core import clock, work
from webmacs.core.db import affected, db, driver, emit
from webmacs.core.errors import Conflict, Invalid, NotFound, Unavailable
from webmacs.core.identity import Actor, system
from webmacs.core.ids import new_id
from webmacs.core.permissions import Can, authorize
from webmacs.features.datapoints import store
from webmacs.features.datapoints.store import Point
from webmacs.features.events import queries as events
from webmacs.features.imports import queries
from webmacs.features.imports.decide import Reader, UnreadableError
from webmacs.features.imports.facts import ImportRequested
from webmacs.features.imports.models import Import
from webmacs.features.imports.schemas import Mapping
from webmacs.gateways import files, tables

KEEP = timedelta(hours=24)  # that an upload waits for somebody to go on with it


def create(actor: Actor, filename: str, chunks: Iterable[bytes]) -> Import:
    """Keep an uploaded file; nothing is read or recorded yet."""
    authorize(actor, Can.RECORD)
    public_id = new_id("imp")
    path = queries.path_of(public_id)
    try:
        with files.written(path) as sink:  # before the first statement: nobody waits for it with a lock
            for chunk in chunks:
                sink.write(chunk)
    except files.DiskFullError as full:
        raise Unavailable(str(full)) from None
    if not sink.bytes:
        files.remove(path)
        raise Invalid({"file": "The file is empty."})
    now = clock.now()
    found = Import(
        public_id=public_id,
        organization_id=actor.organization_id,
        user_id=actor.user_id,
        filename=filename.replace("\x00", "")[-255:] or "file",
        format=tables.kind_of(path),
        bytes=sink.bytes,
        state="uploaded",
        created_on=now,
        expires_on=now + KEEP,
    )
    db.session.add(found)
    db.session.flush()
    return found


def set_mapping(actor: Actor, public_id: str, mapping: Mapping) -> Import:
    """Say how the file is to be read; whether it can be is looked at when it is checked or started."""
    authorize(actor, Can.RECORD)
    found = queries.get(actor, public_id)
    if not found.is_ready:
        raise Conflict(f"The import is {found.state} already.")
    _check_events(actor, mapping)
    found.mapping = mapping.model_dump_json()
    found.state, found.problems, found.accepted, found.rejected = "uploaded", None, 0, 0
    db.session.flush()
    return found


def _check_events(actor: Actor, mapping: Mapping) -> None:
    named = {*mapping.channels.values(), *mapping.columns.values(), mapping.event_public_id} - {None}
    known = events.by_public_ids(actor, [public_id for public_id in named if public_id])
    for public_id in named:
        if public_id not in known:
            raise NotFound("Event", public_id)


def check(actor: Actor, public_id: str) -> Import:
    """Read the whole file in the background and record nothing."""
    return _queue(actor, public_id, is_check=True)


def start(actor: Actor, public_id: str) -> Import:
    """Record the file in the background. What is recorded already changes nothing."""
    return _queue(actor, public_id, is_check=False)


def _queue(actor: Actor, public_id: str, *, is_check: bool) -> Import:
    authorize(actor, Can.RECORD)
    found = queries.get(actor, public_id)
    if found.is_ready:
        _check_mapping(actor, found)
    values = {"state": "queued", "is_check": is_check, "attempts": 0, "expires_on": None}
    ready = update(Import).where(Import.id == found.id, Import.state.in_(("uploaded", "checked"))).values(values)
    if not affected(ready):
        raise Conflict(f"The import is {found.state} already.")
    db.session.refresh(found)
    emit(ImportRequested(actor.organization_id, public_id))
    return found


def _check_mapping(actor: Actor, found: Import) -> None:
    """Refuse at once what the whole file would be read for in vain."""
    if found.mapping is None:
        raise Conflict("Say first how the columns of the file are to be read.")
    mapping = Mapping.model_validate_json(found.mapping)
    if sentence := mapping.lacks():
        raise Invalid({"": sentence})
    try:
        Reader(mapping, queries.preview(actor, found).columns, {})
    except UnreadableError as unreadable:
        raise Invalid({"": str(unreadable)}) from None


def cancel(actor: Actor, public_id: str) -> Import:
    """End an import that is not over; what it has recorded stays."""
    authorize(actor, Can.RECORD)
    found = queries.get(actor, public_id)
    if found.is_ready:
        found.state, found.finished_on = "cancelled", clock.now()
        db.session.flush()
    elif not work.cancel(found):
        raise Conflict(f"The import is {found.state} already.")
    _forsake(actor, queries.file_of(found))
    return found


def remove(actor: Actor, public_id: str) -> None:
    """Forget an import, and its file; what was recorded stays."""
    authorize(actor, Can.RECORD)
    found = queries.get(actor, public_id)
    db.session.delete(found)
    db.session.flush()
    _forsake(actor, queries.file_of(found))


def _forsake(actor: Actor, path: Path) -> None:
    emit(files.FileForsaken(actor.organization_id, queries.FOLDER, path.name))


# --- what its job does ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """An import that a job has claimed, in plain values."""

    token: str
    actor: Actor
    mapping: Mapping
    format: str
    path: Path
    is_check: bool


def claim(public_id: str) -> Task | None:
    """Take an import to carry it out; None when it is not free (any more)."""
    token = work.claim(Import, public_id)
    if token is None:
        return None
    found = db.session.scalars(select(Import).where(Import.public_id == public_id)).one()
    mapping = Mapping.model_validate_json(found.mapping or "{}")
    actor = system(found.organization_id)
    return Task(token, actor, mapping, found.format, queries.file_of(found), found.is_check)


def progress(task: Task, rows: Sequence[Point] = (), **values: Any) -> bool:
    """Record some rows and write down how far the import is, both or none. False when it is no longer wanted."""
    if not work.beat(Import, task.token, **values):
        return False
    if rows and not task.is_check:
        with store.engine_at({row[0] for row in rows}):
            store.of(db.engine.dialect.name).write(driver(), rows, ())
    return True


def settle(task: Task, state: str, problems: Sequence[Any] | None = None, **values: Any) -> bool:
    """End the import or its check. False when it was no longer wanted."""
    is_over = state != "checked"
    listed = None if problems is None else json.dumps(problems)
    expires_on = None if is_over else clock.now() + KEEP
    kept = work.settle(Import, task.token, state, problems=listed, expires_on=expires_on, **values)
    if kept and is_over:
        _forsake(task.actor, task.path)
    return kept


def left_behind() -> list[str]:
    """The imports that nobody is at."""
    return list(work.left_behind(Import))


def expire() -> None:
    """Forget uploads that nobody went on with."""
    over = (Import.expires_on < clock.now(), Import.state.in_(("uploaded", "checked")))
    affected(update(Import).where(*over).values(state="expired", expires_on=None))


def tidy() -> None:
    """Delete the files that no import needs any more."""
    wanted = select(Import.public_id).where(Import.state.in_(("uploaded", "checked", *work.OPEN)))
    files.tidy(queries.FOLDER, set(db.session.scalars(wanted)))
