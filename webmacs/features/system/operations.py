"""The first start, and every start after it."""

from dataclasses import dataclass

from webmacs import __version__
from webmacs.core.identity import system
from webmacs.features.accounts import operations as accounts
from webmacs.features.accounts import queries as account_queries
from webmacs.features.accounts.schemas import UserIn
from webmacs.features.logs import operations as logs
from webmacs.features.plugins import operations as plugins
from webmacs.features.plugins import queries as plugin_queries
from webmacs.features.plugins.schemas import InstanceIn
from webmacs.features.tokens import operations as tokens

AGENT = "agent"
OWN_HOST = InstanceIn(plugin_id="system", instance_name="This computer", demo_mode=False)
DEMO_PLANT = InstanceIn(plugin_id="simulated", instance_name="Fluidised bed", demo_mode=True)


@dataclass(frozen=True)
class Prepared:
    """What a start needs: the agent's token, and the claim code while nobody owns the installation."""

    agent_token: str
    claim_code: str | None


def prepare(first_admin: UserIn | None, agent_token: str | None, *, demo: bool) -> Prepared:
    """Make everything that a start takes for granted; running it again changes nothing that exists."""
    is_new = account_queries.first_organization() is None
    organization = accounts.ensure_organization()
    if first_admin is not None and not account_queries.is_claimed():
        accounts.create_first_admin(first_admin)
    actor = system(organization.id)
    if is_new:
        plugins.create(actor, OWN_HOST)
    if demo and not plugin_queries.name_is_taken(actor, DEMO_PLANT.instance_name):
        plugins.create(actor, DEMO_PLANT)
    token = tokens.ensure_service_token(organization.id, AGENT, agent_token)
    logs.note(organization.id, f"WebMACS v{__version__} started.")
    return Prepared(token, None if account_queries.is_claimed() else accounts.offer_claim())
