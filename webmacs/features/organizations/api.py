"""/api/v1/organizations."""

from webmacs.api.endpoint import endpoint
from webmacs.core.identity import Actor
from webmacs.core.permissions import Access, Can
from webmacs.core.schemas import Written
from webmacs.features.organizations import operations, queries
from webmacs.features.organizations.blueprint import bp
from webmacs.features.organizations.schemas import OrganizationIn, OrganizationOut


@bp.get("/api/v1/organizations")
@endpoint("List organizations", can=Access.SIGNED_IN, out=list[OrganizationOut])
def list_organizations_json(actor: Actor) -> object:
    """Those that the asker may enter, by name; `is_current` is the one where the credential acts."""
    return queries.workplaces(actor)


@bp.post("/api/v1/organizations")
@endpoint(
    "Create an organization",
    can=Can.MANAGE_ORGANIZATIONS,
    body=OrganizationIn,
    out=Written,
    status=201,
    errors=(409,),
)
def create_organization_json(actor: Actor, body: OrganizationIn) -> object:
    """The asker becomes its first administrator."""
    made = operations.create(actor, body)
    return Written(message="Organization successfully created.", public_id=made.public_id)


@bp.put("/api/v1/organizations/<public_id>")
@endpoint("Rename an organization", can=Can.MANAGE_ORGANIZATIONS, body=OrganizationIn, out=Written, errors=(404, 409))
def rename_organization_json(actor: Actor, public_id: str, body: OrganizationIn) -> object:
    """Its name is unique in the installation."""
    operations.rename(actor, public_id, body)
    return Written(message="Organization successfully updated.", public_id=public_id)


@bp.post("/api/v1/organizations/<public_id>/enter")
@endpoint("Act in another organization", can=Can.MANAGE_SELF, out=Written, errors=(404, 409))
def enter_organization_json(actor: Actor, public_id: str) -> object:
    """From now on the login in use acts there. API tokens stay in theirs (409)."""
    operations.enter(actor, public_id)
    return Written(message="Organization entered.", public_id=public_id)
