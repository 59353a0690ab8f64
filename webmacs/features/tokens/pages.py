"""One's own API tokens."""

from flask import Response

from webmacs.core.identity import Actor
from webmacs.core.paging import PageQuery
from webmacs.core.permissions import Access, Can
from webmacs.features.tokens import operations, queries
from webmacs.features.tokens.blueprint import bp
from webmacs.features.tokens.forms import TokenForm
from webmacs.features.tokens.schemas import TokenIn
from webmacs.web.pages import page, screen, see


@bp.get("/profile/tokens")
@screen(can=Access.SIGNED_IN)
def index(actor: Actor) -> Response:
    """One's own API tokens, and a new one."""
    return _index(actor)


def _index(actor: Actor, form: TokenForm | None = None, secret: str | None = None) -> Response:
    mine = [token for token in queries.find(actor, PageQuery(page_size=100)).data if token.user_id == actor.user_id]
    return page(
        "tokens/index.html",
        status=form.status if form else 200,
        tokens=mine,
        token_form=form or TokenForm(formdata=None),
        secret=secret,
    )


@bp.post("/profile/tokens")
@screen(can=Can.MANAGE_SELF)
def create(actor: Actor) -> Response:
    """Make an API token and show its secret, this once."""
    form = TokenForm()
    made = form.submit(TokenIn, lambda new: operations.create(actor, new))
    return _index(actor, form) if made is None else _index(actor, secret=made[1])


@bp.post("/profile/tokens/<public_id>/delete")
@screen(can=Can.MANAGE_SELF)
def remove(actor: Actor, public_id: str) -> Response:
    """Delete an API token."""
    operations.remove(actor, public_id)
    return see("tokens.index")
