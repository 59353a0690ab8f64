"""/api/v1/invitations."""

from webmacs.api.endpoint import endpoint
from webmacs.core.identity import Actor
from webmacs.core.paging import PageOut, PageQuery
from webmacs.core.permissions import Can
from webmacs.core.schemas import Written
from webmacs.features.invitations import operations, queries
from webmacs.features.invitations.blueprint import bp
from webmacs.features.invitations.jobs import PATH
from webmacs.features.invitations.schemas import InvitationIn, InvitationOut, NewInvitationOut
from webmacs.web.address import public_address
from webmacs.web.letters import can_send


@bp.get("/api/v1/invitations")
@endpoint("List open invitations", can=Can.MANAGE_USERS, query=PageQuery, out=PageOut[InvitationOut])
def list_invitations_json(actor: Actor, query: PageQuery) -> object:
    """Those that can still be accepted, newest first."""
    return queries.find(actor, query)


@bp.post("/api/v1/invitations")
@endpoint(
    "Invite somebody",
    can=Can.MANAGE_USERS,
    body=InvitationIn,
    out=NewInvitationOut,
    status=201,
    errors=(409,),
    replayable=False,
)
def invite_json(actor: Actor, body: InvitationIn) -> object:
    """By mail; an installation without a mail server answers with the link, this once. It is valid for 7 days."""
    made, code = operations.invite(actor, body, by_mail=can_send())
    link = None if code is None else f"{public_address()}{PATH}#{code}"
    return NewInvitationOut.model_validate({**InvitationOut.model_validate(made).model_dump(), "link": link})


@bp.delete("/api/v1/invitations/<public_id>")
@endpoint("Revoke an invitation", can=Can.MANAGE_USERS, out=Written, errors=(404,))
def revoke_json(actor: Actor, public_id: str) -> object:
    """Its link stops working at once."""
    operations.revoke(actor, public_id)
    return Written(message="Invitation revoked.", public_id=public_id)
