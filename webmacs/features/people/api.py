"""/api/v1/users/{id}/sessions, …/second-factors and …/password-reset."""

from webmacs.api.endpoint import endpoint
from webmacs.core.identity import Actor
from webmacs.core.permissions import Can
from webmacs.core.schemas import Written
from webmacs.features.accounts import queries
from webmacs.features.people import operations
from webmacs.features.people.blueprint import bp
from webmacs.features.people.schemas import SessionOut
from webmacs.features.resets import operations as resets
from webmacs.features.resets.jobs import PATH as RESET_PATH
from webmacs.features.resets.schemas import ResetOut
from webmacs.web.address import public_address
from webmacs.web.letters import can_send


@bp.get("/api/v1/users/<public_id>/sessions")
@endpoint("List the sessions of a user", can=Can.MANAGE_USERS, out=list[SessionOut], errors=(404,))
def list_sessions_json(actor: Actor, public_id: str) -> object:
    """The valid logins that act in this organization, last used first."""
    return queries.logins_of(actor, public_id)


@bp.delete("/api/v1/users/<public_id>/sessions")
@endpoint("End all sessions of a user", can=Can.MANAGE_USERS, out=Written, errors=(404,))
def end_sessions_json(actor: Actor, public_id: str) -> object:
    """Those that act in this organization, besides the one in use. API tokens stay: delete them under /tokens."""
    operations.end_logins_of(actor, public_id)
    return Written(message="Sessions ended.", public_id=public_id)


@bp.delete("/api/v1/users/<public_id>/sessions/<session_id>")
@endpoint("End a session of a user", can=Can.MANAGE_USERS, out=Written, errors=(404,))
def end_session_json(actor: Actor, public_id: str, session_id: str) -> object:
    """What was opened with it ends within seconds."""
    operations.end_login_of(actor, public_id, session_id)
    return Written(message="Session ended.", public_id=session_id)


@bp.delete("/api/v1/users/<public_id>/second-factors")
@endpoint("Take a user's second factors away", can=Can.MANAGE_USERS, out=Written, errors=(403, 404, 409))
def reset_factors_json(actor: Actor, public_id: str) -> object:
    """For somebody who lost them: the password alone is asked for again, and all logins of the user end."""
    operations.reset_factors_of(actor, public_id)
    return Written(message="Second factors removed.", public_id=public_id)


@bp.post("/api/v1/users/<public_id>/password-reset")
@endpoint(
    "Let a user choose a new password",
    can=Can.MANAGE_USERS,
    out=ResetOut,
    status=201,
    errors=(404, 409),
    replayable=False,
)
def reset_password_json(actor: Actor, public_id: str) -> object:
    """By a mail with a link; without a mail server the reply has it, this once. It works once and for an hour."""
    code = resets.offer(actor, public_id, by_mail=can_send())
    if code is None:
        return ResetOut(message="A mail with a link is on its way.", link=None)
    return ResetOut(message="Hand over the link.", link=f"{public_address()}{RESET_PATH}#{code}")
