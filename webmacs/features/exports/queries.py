"""Reads of exports, and the values that a selection means."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, Select, select

from webmacs.core import clock
from webmacs.core.db import db
from webmacs.core.errors import Invalid, NotFound
from webmacs.core.identity import Actor, Role
from webmacs.core.paging import Page, paginate
from webmacs.core.permissions import Can, authorize
from webmacs.features.datapoints import queries as datapoints
from webmacs.features.datapoints.schemas import LAST
from webmacs.features.datapoints.store import Columns
from webmacs.features.datapoints.store.columns import columns
from webmacs.features.events import queries as events
from webmacs.features.events.models import Event
from webmacs.features.experiments import queries as experiments
from webmacs.features.experiments.queries import Label, label
from webmacs.features.exports.models import Export
from webmacs.features.exports.schemas import MOST_AT_ONCE, ExportFilter, Selection
from webmacs.gateways import files
from webmacs.gateways.lines import Layout

FOLDER = "exports"


def file_of(export: Export) -> Path:
    """Where the file of an export is, or will be."""
    return files.folder(FOLDER) / f"{export.public_id}.{export.format}"


def visible(actor: Actor) -> Select[Export]:
    """Everybody sees their own exports, administrators all of their organization."""
    mine = select(Export).where(Export.organization_id == actor.organization_id)
    return mine if actor.role == Role.ADMIN else mine.where(Export.user_id == actor.user_id)


def find(actor: Actor, query: ExportFilter) -> Page[Export]:
    """Exports, newest first."""
    authorize(actor, Can.READ)
    statement = visible(actor)
    if query.state is not None:
        statement = statement.where(Export.state == query.state)
    return paginate(statement.order_by(Export.id.desc()), query)


def get(actor: Actor, public_id: str) -> Export:
    """One export."""
    authorize(actor, Can.READ)
    export = db.session.scalar(visible(actor).where(Export.public_id == public_id))
    if export is None:
        raise NotFound("Export", public_id)
    return export


def finished(actor: Actor, public_id: str) -> tuple[Export, Path]:
    """An export and its file; `NotFound` when there is none (yet, or any more)."""
    export = get(actor, public_id)
    path = file_of(export)
    if not export.has_file or not path.is_file():
        raise NotFound(f"There is no file: the export is {export.state}. Export", public_id)
    return export, path


# --- what a selection means -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """Everything that writing needs, read before the first byte: the stream then has a connection of its own.

    start ≤ ts < stop in microseconds since 1970 UTC.
    """

    channels: Sequence[Label]
    start: int
    stop: int
    organization_id: int
    engine: Engine

    @property
    def event_ids(self) -> list[int]:
        """The internal ids of the channels."""
        return [channel.id for channel in self.channels]

    def columns(self) -> Iterator[Columns]:
        """The rows in order of (ts, event id), some thousand at a time."""
        return columns(self.engine, self.organization_id, self.event_ids, self.start, self.stop)


def plan(actor: Actor, wish: Selection) -> Plan:
    """Look up what a selection means now. Raises `NotFound` for a channel or an experiment that is not there."""
    authorize(actor, Can.READ)
    chosen = _channels(actor, wish.event_public_ids)
    start = clock.to_micros(wish.start) if wish.start else 0
    stop = clock.to_micros(wish.stop) + 1 if wish.stop else LAST
    if wish.experiment_public_id is not None:
        run = datapoints.stretch(actor, wish.experiment_public_id)
        if run is None:
            raise NotFound("Experiment", wish.experiment_public_id)
        chosen = [event for event in chosen if run.event_ids is None or event.id in run.event_ids]
        start, stop = max(start, run.start), min(stop, LAST if run.stop is None else run.stop + 1)
    channels = [label(event) for event in chosen]
    return Plan(channels, max(0, start), min(stop, LAST), actor.organization_id, db.engine)


def _channels(actor: Actor, public_ids: Sequence[str] | None) -> Sequence[Event]:
    if public_ids is None:
        return events.everything(actor)
    found = events.by_public_ids(actor, public_ids)
    for public_id in public_ids:
        if public_id not in found:
            raise NotFound("Event", public_id)
    return sorted(found.values(), key=lambda event: event.id)


def plan_for_a_stream(actor: Actor, wish: Selection) -> Plan:
    """A plan for a selection that is small enough to be sent at once; `Invalid` for a larger one."""
    made = plan(actor, wish)
    if rows_of(made) > MOST_AT_ONCE:
        sentence = f"The selection holds more than {MOST_AT_ONCE:,} values. Let it be written in the background instead"
        raise Invalid({"": f"{sentence} (POST /api/v1/exports), or ask for a shorter time or fewer channels."})
    return made


def rows_of(made: Plan) -> int:
    """How many rows a plan holds now."""
    return datapoints.count_within(made.event_ids, made.start, made.stop)


# --- as text ----------------------------------------------------------------------------------------------------------


def layout_of(made: Plan, kind: str) -> tuple[bytes, Layout]:
    """The head of a file and how its lines look; CSV is the same as that of an experiment."""
    if kind == "csv":
        return experiments.CSV_HEAD, Layout(b"", experiments.csv_cells(made.channels), b"\r\n")
    cells = {
        channel.id: (
            f'Z","event_public_id":{json.dumps(channel.public_id)},"event_name":{json.dumps(channel.name)},'
            f'"unit":{json.dumps(channel.unit)},"value":'.encode(),
            f',"public_id":"{datapoints.public_id(channel.public_id, 0)[:-14]}'.encode(),
        )
        for channel in made.channels
    }
    return b"", Layout(b'{"timestamp":"', cells, b'"}\n')


def text_chunks(made: Plan, kind: str) -> Iterator[bytes]:
    """The selection as text, two thousand rows at a time; memory does not grow with the number of rows."""
    head, layout = layout_of(made, kind)
    yield head
    for found in made.columns():
        yield from layout.lines(*found)
