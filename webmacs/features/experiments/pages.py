"""The pages of experiments."""

from itertools import islice

import orjson
from flask import Response, request

from webmacs.core.identity import Actor
from webmacs.core.permissions import Can
from webmacs.features.datapoints.queries import samples
from webmacs.features.datapoints.schemas import LAST
from webmacs.features.events import queries as events
from webmacs.features.events.schemas import OUTPUTS
from webmacs.features.experiments import operations, queries
from webmacs.features.experiments.blueprint import bp
from webmacs.features.experiments.figures import Trace, series_figure
from webmacs.features.experiments.forms import RenameForm, StartForm
from webmacs.features.experiments.schemas import ExperimentFilter, ExperimentIn, ExperimentPatch
from webmacs.web.pages import page, screen, see

FIGURE_POINTS = 1000
FIGURE_CHANNELS = 20


@bp.get("/experiments")
@screen(can=Can.READ, query=ExperimentFilter)
def index(actor: Actor, query: ExperimentFilter) -> Response:
    """All experiments, the running ones on top."""
    return page(
        "experiments/index.html",
        "experiments/_table.html",
        found=queries.find(actor, query),
        running=queries.running(actor),
        query=query,
    )


@bp.get("/experiments/new")
@screen(can=Can.RUN_EXPERIMENTS)
def new(actor: Actor) -> Response:
    """Start an experiment."""
    return _new(actor, StartForm(formdata=None))


def _new(actor: Actor, form: StartForm) -> Response:
    form.event_public_ids.choices = [(event.public_id, event.name) for event in events.everything(actor)]
    return page(
        "experiments/new.html",
        "experiments/_form.html",
        form.status,
        form=form,
        running=queries.running(actor),
    )


@bp.post("/experiments")
@screen(can=Can.RUN_EXPERIMENTS)
def create(actor: Actor) -> Response:
    """Start an experiment."""
    form = StartForm()
    experiment = form.submit(ExperimentIn, lambda sent: operations.start(actor, sent))
    if experiment is None:
        return _new(actor, form)
    return see("experiments.show", public_id=experiment.public_id)


@bp.get("/experiments/<public_id>")
@screen(can=Can.READ)
def show(actor: Actor, public_id: str) -> Response:
    """One experiment: its times, its chart and its numbers."""
    return _show(actor, public_id, None)


def _show(actor: Actor, public_id: str, form: RenameForm | None) -> Response:
    experiment = queries.get(actor, public_id)
    return page(
        "experiments/show.html",
        status=form.status if form else 200,
        experiment=experiment,
        form=form or RenameForm(formdata=None, obj=experiment),
        summary=queries.summary(actor, experiment),
    )


@bp.get("/experiments/<public_id>/figure.json")
@screen(can=Can.READ)
def figure(actor: Actor, public_id: str) -> Response:
    """The chart as a Plotly figure, peaks kept."""
    experiment = queries.get(actor, public_id)
    run = queries.stretch(actor, experiment)
    stop = LAST if run.stop is None else run.stop + 1
    drawn = (
        Trace(event.name, event.unit, found, event.type in OUTPUTS)
        for event in queries.channels(actor, experiment)
        if (found := samples(event.id, run.start, stop, FIGURE_POINTS, "minmax"))
    )
    traces = list(islice(drawn, FIGURE_CHANNELS))
    return Response(orjson.dumps(series_figure(traces)), mimetype="application/json")


@bp.post("/experiments/<public_id>")
@screen(can=Can.RUN_EXPERIMENTS)
def rename(actor: Actor, public_id: str) -> Response:
    """Give an experiment another name."""
    form = RenameForm()
    if form.submit(ExperimentPatch, lambda sent: operations.rename(actor, public_id, sent)) is None:
        return _show(actor, public_id, form)
    return see("experiments.show", public_id=public_id)


@bp.post("/experiments/<public_id>/stop")
@screen(can=Can.RUN_EXPERIMENTS)
def stop(actor: Actor, public_id: str) -> Response:
    """Stop an experiment."""
    operations.stop(actor, public_id)
    return see("experiments.show", public_id=public_id)


@bp.post("/experiments/<public_id>/hold")
@screen(can=Can.RUN_EXPERIMENTS)
def hold(actor: Actor, public_id: str) -> Response:
    """Put an experiment's measurements on hold."""
    operations.hold(actor, public_id, is_held=True)
    return see("experiments.show", public_id=public_id)


@bp.post("/experiments/<public_id>/release")
@screen(can=Can.MANAGE_RETENTION)
def release(actor: Actor, public_id: str) -> Response:
    """Release an experiment's measurements."""
    operations.hold(actor, public_id, is_held=False)
    return see("experiments.show", public_id=public_id)


@bp.get("/experiments/<public_id>/delete")
@screen(can=Can.RUN_EXPERIMENTS)
def confirm_delete(actor: Actor, public_id: str) -> Response:
    """Ask before an experiment is deleted, and what is to become of its measurements."""
    experiment = queries.get(actor, public_id)
    return page("experiments/delete.html", experiment=experiment, summary=queries.summary(actor, experiment))


@bp.post("/experiments/<public_id>/delete")
@screen(can=Can.RUN_EXPERIMENTS)
def delete(actor: Actor, public_id: str) -> Response:
    """Delete an experiment; its measurements only when that was ticked."""
    operations.remove(actor, public_id, keep_data=request.form.get("with_data") != "yes")
    return see("experiments.index")
