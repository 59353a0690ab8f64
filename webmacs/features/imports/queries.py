"""Reads of imports, and of the files that they are about."""

import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Select, select

from webmacs.core.db import db
from webmacs.core.errors import Conflict, Invalid, NotFound
from webmacs.core.identity import Actor
from webmacs.core.paging import Page, paginate
from webmacs.core.permissions import Can, authorize
from webmacs.features.datapoints.admit import Channel
from webmacs.features.events import queries as events
from webmacs.features.imports.decide import guess
from webmacs.features.imports.models import Import
from webmacs.features.imports.schemas import PREVIEW_ROWS, ImportFilter, Preview
from webmacs.gateways import files, tables
from webmacs.gateways.parquet import MissingError

FOLDER = "imports"
LONGEST_SHOWN = 100  # characters of a cell of the preview


def file_of(found: Import) -> Path:
    """Where the uploaded file is until the import is over."""
    return path_of(found.public_id)


def path_of(public_id: str) -> Path:
    """Where the file of the import of this id is."""
    return files.folder(FOLDER) / public_id


def visible(actor: Actor) -> Select[Import]:
    """The imports of the actor's organization."""
    return select(Import).where(Import.organization_id == actor.organization_id)


def find(actor: Actor, query: ImportFilter) -> Page[Import]:
    """Imports, newest first."""
    authorize(actor, Can.RECORD)
    return paginate(visible(actor).order_by(Import.id.desc()), query)


def get(actor: Actor, public_id: str) -> Import:
    """One import."""
    authorize(actor, Can.RECORD)
    found = db.session.scalar(visible(actor).where(Import.public_id == public_id))
    if found is None:
        raise NotFound("Import", public_id)
    return found


def preview(actor: Actor, found: Import) -> Preview:
    """The first rows of an uploaded file, as they would be read now. `Conflict` when the file is gone."""
    authorize(actor, Can.RECORD)
    path = file_of(found)
    if not found.is_ready or not path.is_file():
        raise Conflict(f"The file of this import is not there any more: the import is {found.state}.")
    known = json.loads(found.mapping) if found.mapping else {}
    delimiter = known.get("delimiter") or (tables.delimiter_of(path) if found.format == "csv" else ",")
    try:
        with tables.opened(path, found.format, delimiter) as table:
            rows = [[_shown(cell) for cell in cells or ()] for _, cells in islice(table.lines, PREVIEW_ROWS)]
            return Preview(columns=table.header, rows=rows, delimiter=delimiter)
    except (tables.BrokenFileError, MissingError) as broken:
        raise Invalid({"": str(broken)}) from None


def _shown(cell: Any) -> str:
    text = "" if cell is None else str(cell)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def suggestion(actor: Actor, found: Import, shown: Preview) -> dict[str, Any]:
    """The mapping in force, or a first idea of one."""
    if found.mapping is not None:
        return dict(json.loads(found.mapping))
    return guess(shown.columns, names(actor), shown.delimiter)


def names(actor: Actor) -> dict[str, str]:
    """What may stand in a channel column: public ids and names → public id."""
    known: Sequence[Any] = events.everything(actor)
    return {event.name: event.public_id for event in known} | {event.public_id: event.public_id for event in known}


def channels(actor: Actor) -> dict[str, Channel]:
    """What has to be known of the channels to take their values, public id → channel."""
    return {event.public_id: Channel(event.id, event.is_accepting) for event in events.everything(actor)}
