"""The pages of organizations, and going from one to another."""

from flask import Response

from webmacs.core.identity import Actor
from webmacs.core.permissions import Access, Can
from webmacs.features.organizations import operations, queries
from webmacs.features.organizations.blueprint import bp
from webmacs.features.organizations.forms import OrganizationForm
from webmacs.features.organizations.schemas import OrganizationIn
from webmacs.web.pages import page, screen, see


@bp.get("/organizations")
@screen(can=Access.SIGNED_IN)
def index(actor: Actor) -> Response:
    """The organizations that one may enter; installation administrators make and rename them."""
    return _index(actor, OrganizationForm(formdata=None))


def _index(actor: Actor, form: OrganizationForm) -> Response:
    return page("organizations/index.html", status=form.status, places=queries.workplaces(actor), form=form)


@bp.post("/organizations")
@screen(can=Can.MANAGE_ORGANIZATIONS)
def create(actor: Actor) -> Response:
    """Make an organization."""
    form = OrganizationForm()
    if form.submit(OrganizationIn, lambda sent: operations.create(actor, sent)) is None:
        return _index(actor, form)
    return see("organizations.index")


@bp.get("/organizations/<public_id>/edit")
@screen(can=Can.MANAGE_ORGANIZATIONS)
def edit(actor: Actor, public_id: str) -> Response:
    """Give an organization another name."""
    place = queries.get(actor, public_id)
    return page("organizations/edit.html", place=place, form=OrganizationForm(formdata=None, obj=place))


@bp.post("/organizations/<public_id>")
@screen(can=Can.MANAGE_ORGANIZATIONS)
def rename(actor: Actor, public_id: str) -> Response:
    """Give an organization another name."""
    place = queries.get(actor, public_id)
    form = OrganizationForm()
    if form.submit(OrganizationIn, lambda sent: operations.rename(actor, public_id, sent)) is None:
        return page("organizations/edit.html", status=form.status, place=place, form=form)
    return see("organizations.index")


@bp.post("/organizations/<public_id>/enter")
@screen(can=Can.MANAGE_SELF)
def enter(actor: Actor, public_id: str) -> Response:
    """Go on working in another organization."""
    operations.enter(actor, public_id)
    return see("dashboards.overview")
