"""/health and /health/ready."""

from flask import Response

from webmacs.api.endpoint import endpoint
from webmacs.core.identity import Actor
from webmacs.core.permissions import Access
from webmacs.features.system import queries
from webmacs.features.system.blueprint import bp
from webmacs.features.system.schemas import HealthOut


@bp.get("/health")
@endpoint("System health", can=Access.PUBLIC, out=HealthOut, lasts_until="health")
def health_json(actor: Actor) -> object:  # noqa: ARG001 - every view gets the actor
    """Always 200, also when degraded: for people and for clients of the original API."""
    return queries.health()


@bp.get("/health/ready")
@endpoint("Readiness", can=Access.PUBLIC, out=HealthOut, errors=(503,))
def ready_json(actor: Actor) -> object:  # noqa: ARG001 - every view gets the actor
    """503 while degraded: for load balancers and container health checks."""
    health = queries.health()
    if health.status == "ok":
        return health
    return Response(health.model_dump_json(), 503, mimetype="application/json", headers={"Retry-After": "5"})
