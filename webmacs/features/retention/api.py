"""/api/v1/retention."""

from webmacs.api.endpoint import endpoint
from webmacs.core.identity import Actor
from webmacs.core.paging import PageOut, PageQuery
from webmacs.core.permissions import Can
from webmacs.features.retention import jobs, operations, queries
from webmacs.features.retention.blueprint import bp
from webmacs.features.retention.schemas import ChannelPolicyOut, PolicyIn, PolicyOut, PreviewOut, RunOut

ROOT = "/api/v1/retention"


@bp.get(ROOT)
@endpoint("Get what is kept", can=Can.READ, out=PolicyOut)
def get_json(actor: Actor) -> object:
    """Days; null keeps for ever, which is where everybody begins."""
    return queries.policy(actor)


@bp.put(ROOT)
@endpoint("Set what is kept", can=Can.MANAGE_RETENTION, body=PolicyIn, out=PolicyOut)
def set_json(actor: Actor, body: PolicyIn) -> object:
    """For every channel that has no policy of its own. Rollups are kept at least as long as the values."""
    return operations.set_policy(actor, body)


@bp.get(f"{ROOT}/events/<public_id>")
@endpoint("Get what is kept of an event", can=Can.READ, out=ChannelPolicyOut, errors=(404,))
def channel_json(actor: Actor, public_id: str) -> object:
    """`is_own` is false where it follows the organization."""
    return queries.channel_policy(actor, public_id)


@bp.put(f"{ROOT}/events/<public_id>")
@endpoint("Set what is kept of an event", can=Can.MANAGE_RETENTION, body=PolicyIn, out=ChannelPolicyOut, errors=(404,))
def set_channel_json(actor: Actor, public_id: str, body: PolicyIn) -> object:
    """It counts in place of the organization's policy, also where it keeps more."""
    return operations.set_channel_policy(actor, public_id, body)


@bp.delete(f"{ROOT}/events/<public_id>")
@endpoint("Let an event follow the organization", can=Can.MANAGE_RETENTION, out=ChannelPolicyOut, errors=(404,))
def follow_json(actor: Actor, public_id: str) -> object:
    """Its own policy is removed."""
    return operations.follow(actor, public_id)


@bp.get(f"{ROOT}/preview")
@endpoint("Preview a retention run", can=Can.MANAGE_RETENTION, out=PreviewOut)
def preview_json(actor: Actor) -> object:
    """What would be deleted now, by event: the number of values, the oldest one, and rollups. Nothing is deleted."""
    return queries.preview(actor)


@bp.get(f"{ROOT}/runs")
@endpoint("List retention runs", can=Can.READ, query=PageQuery, out=PageOut[RunOut])
def runs_json(actor: Actor, query: PageQuery) -> object:
    """Newest first."""
    return queries.runs(actor, query)


@bp.post(f"{ROOT}/runs")
@endpoint("Start a retention run", can=Can.MANAGE_RETENTION, out=RunOut, status=201, errors=(409,))
def run_json(actor: Actor) -> object:
    """It is carried out in the background, as it is once a day."""
    jobs.check_worker()
    return operations.request(actor)
