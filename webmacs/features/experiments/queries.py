"""Reads of experiments, and their export."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Engine, Select, exists, select

from webmacs.core.db import db
from webmacs.core.errors import NotFound
from webmacs.core.identity import Actor
from webmacs.core.paging import Page, paginate
from webmacs.core.permissions import Can, authorize
from webmacs.features.datapoints import queries as datapoints
from webmacs.features.datapoints.decide import Stretch
from webmacs.features.datapoints.models import Span
from webmacs.features.datapoints.schemas import LAST
from webmacs.features.datapoints.store.columns import columns
from webmacs.features.events import queries as events
from webmacs.features.events.models import Event
from webmacs.features.experiments.models import Experiment
from webmacs.features.experiments.schemas import ExperimentFilter
from webmacs.gateways.lines import Layout

CSV_HEADER = ("timestamp", "event_name", "event_public_id", "value", "unit", "datapoint_public_id")
CSV_HEAD = ",".join(CSV_HEADER).encode() + b"\r\n"
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def visible(actor: Actor) -> Select[Experiment]:
    """The experiments of the actor's organization."""
    return select(Experiment).join(Span).where(Experiment.organization_id == actor.organization_id)


def find(actor: Actor, query: ExperimentFilter) -> Page[Experiment]:
    """Experiments, latest started first."""
    authorize(actor, Can.READ)
    statement = visible(actor)
    if query.state is not None:
        is_running = Span.stopped_us.is_(None)
        statement = statement.where(is_running if query.state == "running" else ~is_running)
    if query.q:
        statement = statement.where(Experiment.name.icontains(query.q, autoescape=True))
    return paginate(statement.order_by(Span.started_us.desc(), Experiment.id.desc()), query)


def get(actor: Actor, public_id: str) -> Experiment:
    """One experiment."""
    authorize(actor, Can.READ)
    experiment = db.session.scalar(visible(actor).where(Experiment.public_id == public_id))
    if experiment is None:
        raise NotFound("Experiment", public_id)
    return experiment


def running(actor: Actor) -> Sequence[Experiment]:
    """The experiments that run now, latest started first."""
    authorize(actor, Can.READ)
    return db.session.scalars(visible(actor).where(Span.stopped_us.is_(None)).order_by(Span.started_us.desc())).all()


def names(actor: Actor) -> dict[str, str]:
    """The names of all experiments, public id → name, latest started first."""
    authorize(actor, Can.READ)
    rows = db.session.execute(
        select(Experiment.public_id, Experiment.name)
        .join(Span)
        .where(Experiment.organization_id == actor.organization_id)
        .order_by(Span.started_us.desc(), Experiment.id.desc())
    )
    return {row.public_id: row.name for row in rows}


def name_is_taken(actor: Actor, name: str, *, besides: int | None = None) -> bool:
    """Whether another experiment has this name."""
    same = select(Experiment.id).where(
        Experiment.organization_id == actor.organization_id, Experiment.name == name, Experiment.id != (besides or 0)
    )
    return bool(db.session.scalar(select(exists(same))))


def stretch(actor: Actor, experiment: Experiment) -> Stretch:
    """When and over which channels it ran, in plain values."""
    found = datapoints.stretch(actor, experiment.public_id)
    if found is None:
        raise NotFound("Experiment", experiment.public_id)
    return found


def channels(actor: Actor, experiment: Experiment) -> list[Event]:
    """The channels that it covers."""
    scope = stretch(actor, experiment).event_ids
    return [event for event in events.everything(actor) if scope is None or event.id in scope]


def overlapping(actor: Actor, scope: frozenset[int] | None) -> list[Experiment]:
    """The running experiments that cover one of these channels (None: every channel)."""
    authorize(actor, Can.READ)
    open_ids = {
        s.public_id
        for s in datapoints.stretches(actor)
        if s.stop is None and (scope is None or s.event_ids is None or scope & s.event_ids)
    }
    return [experiment for experiment in running(actor) if experiment.public_id in open_ids]


@dataclass(frozen=True)
class Summary:
    """What one channel did during an experiment."""

    event: Event
    figures: datapoints.Figures


def summary(actor: Actor, experiment: Experiment) -> list[Summary]:
    """Count, extremes, mean and last value of each channel that has data in the experiment."""
    run = stretch(actor, experiment)
    stop = LAST if run.stop is None else run.stop + 1
    covered = channels(actor, experiment)
    found = datapoints.figures([event.id for event in covered], run.start, stop)
    return [Summary(event, found[event.id]) for event in covered if event.id in found]


# --- CSV --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Export:
    """Everything that the export needs, read before its first byte: the stream then has a connection of its own."""

    filename: str
    start: int
    stop: int
    cells: dict[int, tuple[bytes, bytes]]  # event id → what stands between time and value, and after the value
    organization_id: int
    engine: Engine


def export(actor: Actor, public_id: str) -> Export:
    """Prepare the CSV export of an experiment, running or stopped."""
    experiment = get(actor, public_id)
    run = stretch(actor, experiment)
    cells = csv_cells([label(event) for event in channels(actor, experiment)])
    name = re.sub(r"\s", "_", experiment.name).replace("/", "-")
    filename = f"experiment_{name}_{experiment.public_id[:8]}.csv"
    stop = LAST if run.stop is None else run.stop + 1
    return Export(filename, run.start, stop, cells, actor.organization_id, db.engine)


def csv_chunks(wanted: Export) -> Iterator[bytes]:
    """The export as text, two thousand rows at a time; memory does not grow with the number of rows."""
    yield CSV_HEAD
    layout = Layout(b"", wanted.cells, b"\r\n")
    for found in columns(wanted.engine, wanted.organization_id, list(wanted.cells), wanted.start, wanted.stop):
        yield from layout.lines(*found)


class Label(NamedTuple):
    """What a file says about a channel, in plain values that outlive the transaction."""

    id: int
    public_id: str
    name: str
    unit: str


def label(event: Event) -> Label:
    """The label of a channel."""
    return Label(event.id, event.public_id, event.name, event.unit)


def csv_cells(covered: Iterable[Label]) -> dict[int, tuple[bytes, bytes]]:
    """Event id → the cells between time and value, and those after the value up to the digits of the datapoint's id."""
    return {
        channel.id: (
            f"+00:00,{_cell(channel.name)},{_cell(channel.public_id)},".encode(),
            f",{_cell(channel.unit)},{datapoints.public_id(channel.public_id, 0)[:-14]}".encode(),
        )
        for channel in covered
    }


def _cell(text: str) -> str:
    """A CSV cell with minimal quoting; text that a spreadsheet would run as a formula is neutralised."""
    if text.startswith(FORMULA):
        text = "'" + text
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow([text])
    return buffer.getvalue()
