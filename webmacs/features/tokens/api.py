"""/api/v1/tokens."""

from webmacs.api.endpoint import endpoint
from webmacs.core.identity import Actor
from webmacs.core.paging import PageOut, PageQuery
from webmacs.core.permissions import Access, Can
from webmacs.core.schemas import Written
from webmacs.features.tokens import operations, queries
from webmacs.features.tokens.blueprint import bp
from webmacs.features.tokens.schemas import NewTokenOut, TokenIn, TokenOut


@bp.get("/api/v1/tokens")
@endpoint("List API tokens", can=Access.SIGNED_IN, query=PageQuery, out=PageOut[TokenOut])
def list_tokens_json(actor: Actor, query: PageQuery) -> object:
    """One's own; administrators see all. Newest first."""
    return queries.find(actor, query)


@bp.post("/api/v1/tokens")
@endpoint("Create an API token", can=Can.MANAGE_SELF, body=TokenIn, out=NewTokenOut, status=201, replayable=False)
def create_token_json(actor: Actor, body: TokenIn) -> object:
    """The token itself is shown in this reply and never again. It can be limited to scopes, networks and channels."""
    row, secret = operations.create(actor, body)
    return NewTokenOut.model_validate({**TokenOut.model_validate(row).model_dump(), "token": secret})


@bp.delete("/api/v1/tokens/<public_id>")
@endpoint("Delete an API token", can=Can.MANAGE_SELF, out=Written, errors=(403, 404))
def remove_token_json(actor: Actor, public_id: str) -> object:
    """One's own; administrators any of the organization."""
    operations.remove(actor, public_id)
    return Written(message="API token deleted.", public_id=public_id)
