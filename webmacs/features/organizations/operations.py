"""Every change to organizations, and going from one to another."""

from webmacs.core.errors import Conflict
from webmacs.core.identity import Actor, Role
from webmacs.core.permissions import Can, authorize
from webmacs.core.tenancy import as_owner
from webmacs.features.accounts import operations as accounts
from webmacs.features.accounts import queries as account_queries
from webmacs.features.accounts.models import Organization
from webmacs.features.organizations import queries
from webmacs.features.organizations.schemas import OrganizationIn


def enter(actor: Actor, public_id: str) -> Organization:
    """Let the login in use act in another organization of the user's."""
    authorize(actor, Can.MANAGE_SELF)
    if actor.via == "token":
        raise Conflict("An API token belongs to one organization; make another token there.")
    chosen = queries.get(actor, public_id)
    accounts.move_login(actor, chosen.id)
    return chosen


@as_owner()  # nobody is within it yet
def create(actor: Actor, new: OrganizationIn) -> Organization:
    """Make an organization; who makes it becomes its first administrator."""
    authorize(actor, Can.MANAGE_ORGANIZATIONS)
    _refuse_same_name(new.name)
    made = accounts.add_organization(new.name)
    accounts.add_member(account_queries.me(actor), made.id, Role.ADMIN)
    return made


@as_owner()  # it may be another than the one that the actor is in
def rename(actor: Actor, public_id: str, wish: OrganizationIn) -> Organization:
    """Give an organization another name."""
    authorize(actor, Can.MANAGE_ORGANIZATIONS)
    found = queries.get(actor, public_id)
    _refuse_same_name(wish.name, besides=found.id)
    found.name = wish.name
    return found


def _refuse_same_name(name: str, besides: int | None = None) -> None:
    if queries.name_is_taken(name, besides=besides):
        raise Conflict("Organization already exists.")
