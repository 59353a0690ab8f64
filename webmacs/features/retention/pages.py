"""The pages of retention."""

from flask import Response

from webmacs.core.identity import Actor
from webmacs.core.paging import PageQuery
from webmacs.core.permissions import Can
from webmacs.features.events import queries as events
from webmacs.features.retention import jobs, operations, queries
from webmacs.features.retention.blueprint import bp
from webmacs.features.retention.forms import PolicyForm
from webmacs.features.retention.schemas import PolicyIn, RunOut
from webmacs.web.pages import page, screen, see


@bp.get("/retention")
@screen(can=Can.MANAGE_RETENTION, query=PageQuery)
def index(actor: Actor, query: PageQuery) -> Response:
    """How long measurements are kept, and what was deleted."""
    return _index(actor, query, None)


def _index(actor: Actor, query: PageQuery, form: PolicyForm | None) -> Response:
    whole, own = queries.policy(actor), queries.own_policies(actor)
    shown = form or PolicyForm(formdata=None, obj=whole)
    shown.event_public_id.choices = [
        ("", "All that have no policy of their own"),
        *((event.public_id, event.name) for event in events.everything(actor)),
    ]
    found = queries.runs(actor, query)
    return page(
        "retention/index.html",
        status=shown.status,
        form=shown,
        policy=whole,
        own=own,
        found=found,
        runs=[RunOut.model_validate(run) for run in found.data],
        query=query,
    )


@bp.post("/retention")
@screen(can=Can.MANAGE_RETENTION)
def save(actor: Actor) -> Response:
    """Say what is kept of all channels or of one."""
    form = PolicyForm()
    chosen = form.event_public_id.data

    def do(wish: PolicyIn) -> object:
        if chosen:
            return operations.set_channel_policy(actor, chosen, wish)
        return operations.set_policy(actor, wish)

    return _index(actor, PageQuery(), form) if form.submit(PolicyIn, do) is None else see("retention.index")


@bp.post("/retention/channels/<public_id>/follow")
@screen(can=Can.MANAGE_RETENTION)
def follow(actor: Actor, public_id: str) -> Response:
    """Let a channel follow the others again."""
    operations.follow(actor, public_id)
    return see("retention.index")


@bp.get("/retention/preview")
@screen(can=Can.MANAGE_RETENTION)
def preview(actor: Actor) -> Response:
    """What a run would delete now."""
    return page("retention/preview.html", preview=queries.preview(actor))


@bp.post("/retention/runs")
@screen(can=Can.MANAGE_RETENTION)
def run(actor: Actor) -> Response:
    """Start a run."""
    jobs.check_worker()
    operations.request(actor)
    return see("retention.index")
