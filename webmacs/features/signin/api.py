"""/api/v1/auth/login and /refresh."""

from contextlib import nullcontext
from datetime import timedelta

from flask import current_app

from webmacs.api.endpoint import endpoint
from webmacs.core.identity import Actor
from webmacs.core.permissions import Access
from webmacs.features.signin import operations
from webmacs.features.signin.blueprint import bp
from webmacs.features.signin.schemas import JsonLoginIn, LoginOut, RefreshIn
from webmacs.web.arrival import device, lifetime
from webmacs.web.guard import guarded


@bp.post("/api/v1/auth/login")
@endpoint("Authenticate and receive a JWT", can=Access.PUBLIC, body=JsonLoginIn, out=LoginOut, errors=(401, 429))
def login_json(actor: Actor, body: JsonLoginIn) -> object:  # noqa: ARG001 - every view gets the actor
    """The token goes into `Authorization: Bearer …` of the following requests.

    Whoever has a second factor sends its `code` too; without a right one the answer is 401 and lists `second_factor`.
    With `refresh` the answer has a refresh token too, for when the JWT has ended.
    """
    with guarded("password", body.email), guarded("factor", body.email) if body.code else nullcontext():
        return _shown(operations.enter_api(body, device(), lifetime(), _renewable() if body.refresh else None))


@bp.post("/api/v1/auth/refresh")
@endpoint("Renew a JWT", can=Access.PUBLIC, body=RefreshIn, out=LoginOut, errors=(401, 429), replayable=False)
def refresh_json(actor: Actor, body: RefreshIn) -> object:  # noqa: ARG001 - every view gets the actor
    """Takes a refresh token back and gives a new pair. Who uses one twice ends the login: one of the two stole it."""
    return _shown(operations.renew(body.refresh_token, lifetime(), _renewable()))


def _renewable() -> timedelta:
    return timedelta(days=current_app.config["REFRESH_TOKEN_EXPIRE_DAYS"])


def _shown(pair: operations.Pair) -> LoginOut:
    return LoginOut(
        access_token=pair.access_token,
        public_id=pair.user.public_id,
        username=pair.user.username,
        refresh_token=pair.refresh_token,
    )
