"""Every change to experiments."""

from sqlalchemy import delete

from webmacs.core import clock
from webmacs.core.db import db, emit
from webmacs.core.errors import Conflict, NotFound
from webmacs.core.identity import Actor
from webmacs.core.ids import new_id
from webmacs.core.permissions import Can, authorize
from webmacs.features.datapoints import operations as datapoints
from webmacs.features.events import queries as events
from webmacs.features.experiments import queries
from webmacs.features.experiments.facts import ExperimentHeld, ExperimentStarted, ExperimentStopped
from webmacs.features.experiments.models import Experiment
from webmacs.features.experiments.schemas import ExperimentIn, ExperimentPatch


def start(actor: Actor, new: ExperimentIn) -> Experiment:
    """Start a run now. Others go on: several may run side by side."""
    authorize(actor, Can.RUN_EXPERIMENTS)
    if queries.name_is_taken(actor, new.name):
        raise Conflict("Experiment already exists.")
    public_id = new_id("exp")
    span = datapoints.open_span(actor.organization_id, public_id, _scope(actor, new.event_public_ids))
    experiment = Experiment(
        public_id=public_id, organization_id=actor.organization_id, name=new.name, span=span, user_id=actor.user_id
    )
    db.session.add(experiment)
    db.session.flush()
    emit(ExperimentStarted(actor.organization_id, public_id, new.name, actor.user_id))
    return experiment


def _scope(actor: Actor, public_ids: list[str] | None) -> list[int] | None:
    if public_ids is None:
        return None
    found = events.by_public_ids(actor, public_ids)
    for public_id in public_ids:
        if public_id not in found:
            raise NotFound("Event", public_id)
    return [event.id for event in found.values()]


def rename(actor: Actor, public_id: str, patch: ExperimentPatch) -> Experiment:
    """Give a run another name."""
    authorize(actor, Can.RUN_EXPERIMENTS)
    experiment = queries.get(actor, public_id)
    name = patch.changes().get("name", experiment.name)
    if queries.name_is_taken(actor, name, besides=experiment.id):
        raise Conflict("Experiment already exists.")
    experiment.name = name
    db.session.flush()
    return experiment


def stop(actor: Actor, public_id: str) -> Experiment:
    """Stop a run. A stopped one stays as it was (409)."""
    authorize(actor, Can.RUN_EXPERIMENTS)
    experiment = queries.get(actor, public_id)
    # locked and read again: of two people who press Stop together only one stops it
    db.session.refresh(experiment.span, with_for_update=True)
    if not experiment.is_running:
        raise Conflict(f"Experiment '{experiment.name}' is already stopped.")
    datapoints.close_span(experiment.span, clock.now())
    emit(ExperimentStopped(actor.organization_id, public_id, experiment.name, actor.user_id))
    return experiment


def hold(actor: Actor, public_id: str, *, is_held: bool) -> Experiment:
    """Put a run on hold: nothing deletes its datapoints. Only who decides on retention may release it."""
    authorize(actor, Can.RUN_EXPERIMENTS if is_held else Can.MANAGE_RETENTION)
    experiment = queries.get(actor, public_id)
    db.session.refresh(experiment.span, with_for_update=True)
    if experiment.is_held != is_held:
        datapoints.hold_span(experiment.span, is_held)
        emit(ExperimentHeld(actor.organization_id, public_id, experiment.name, actor.user_id, is_held))
    return experiment


def remove(actor: Actor, public_id: str, *, keep_data: bool) -> None:
    """Delete a run, with the datapoints that belong to no other run unless they are to be kept."""
    authorize(actor, Can.RUN_EXPERIMENTS)
    experiment = queries.get(actor, public_id)
    db.session.refresh(experiment.span, with_for_update=True)
    if experiment.is_held:
        raise Conflict(f"Experiment '{experiment.name}' is on hold: release it first.")
    db.session.execute(delete(Experiment).where(Experiment.id == experiment.id))
    datapoints.remove_span(actor, experiment.span, with_datapoints=not keep_data)
