"""/api/v1/experiments."""

from flask import Response

from webmacs.api.endpoint import endpoint
from webmacs.core.identity import Actor
from webmacs.core.paging import PageOut
from webmacs.core.permissions import Can
from webmacs.core.schemas import Written
from webmacs.features.experiments import operations, queries
from webmacs.features.experiments.blueprint import bp
from webmacs.features.experiments.schemas import (
    DeleteQuery,
    ExperimentFilter,
    ExperimentIn,
    ExperimentOut,
    ExperimentPatch,
    HoldIn,
)
from webmacs.web.downloads import download


@bp.get("/api/v1/experiments")
@endpoint("List all experiments", can=Can.READ, query=ExperimentFilter, out=PageOut[ExperimentOut])
def list_json(actor: Actor, query: ExperimentFilter) -> object:
    """Latest started first."""
    return queries.find(actor, query)


@bp.get("/api/v1/experiments/<public_id>")
@endpoint("Get an experiment", can=Can.READ, out=ExperimentOut, errors=(404,))
def get_json(actor: Actor, public_id: str) -> object:
    """One experiment; it runs while `stopped_on` is null."""
    return queries.get(actor, public_id)


@bp.post("/api/v1/experiments")
@endpoint(
    "Create and start an experiment",
    can=Can.RUN_EXPERIMENTS,
    body=ExperimentIn,
    out=Written,
    status=201,
    errors=(404, 409),
)
def create_json(actor: Actor, body: ExperimentIn) -> object:
    """It starts at once; others that run go on."""
    experiment = operations.start(actor, body)
    return Written(message="Experiment successfully created.", public_id=experiment.public_id)


@bp.put("/api/v1/experiments/<public_id>")
@endpoint("Update an experiment", can=Can.RUN_EXPERIMENTS, body=ExperimentPatch, out=Written, errors=(404, 409))
def change_json(actor: Actor, public_id: str, body: ExperimentPatch) -> object:
    """Give it another name."""
    operations.rename(actor, public_id, body)
    return Written(message="Experiment successfully updated.", public_id=public_id)


@bp.put("/api/v1/experiments/<public_id>/stop")
@endpoint("Stop an experiment", can=Can.RUN_EXPERIMENTS, out=Written, errors=(404, 409))
def stop_json(actor: Actor, public_id: str) -> object:
    """A stopped one cannot be stopped again (409)."""
    operations.stop(actor, public_id)
    return Written(message="Experiment successfully stopped.", public_id=public_id)


@bp.put("/api/v1/experiments/<public_id>/hold")
@endpoint("Hold or release an experiment", can=Can.RUN_EXPERIMENTS, body=HoldIn, out=Written, errors=(404,))
def hold_json(actor: Actor, public_id: str, body: HoldIn) -> object:
    """What is on hold is deleted by nothing: no retention, no `DELETE`. Only administrators may release it (403)."""
    operations.hold(actor, public_id, is_held=body.hold)
    return Written(message=f"Experiment successfully {'held' if body.hold else 'released'}.", public_id=public_id)


@bp.delete("/api/v1/experiments/<public_id>")
@endpoint("Delete an experiment", can=Can.RUN_EXPERIMENTS, query=DeleteQuery, out=Written, errors=(404, 409))
def remove_json(actor: Actor, public_id: str, query: DeleteQuery) -> object:
    """Its datapoints are deleted with it unless `keep_data` is true or they belong to another experiment too."""
    operations.remove(actor, public_id, keep_data=query.keep_data)
    return Written(message="Experiment successfully deleted.", public_id=public_id)


@bp.get("/api/v1/experiments/<public_id>/export/csv")
@endpoint("Download an experiment as CSV", can=Can.READ, errors=(404, 429), streams="text/csv")
def export_json(actor: Actor, public_id: str) -> Response:
    """Streamed with constant memory; running experiments can be exported too."""
    wanted = queries.export(actor, public_id)
    return download(queries.csv_chunks(wanted), wanted.filename, "text/csv")
