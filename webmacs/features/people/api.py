"""/api/v1/users/{id}/sessions."""

from webmacs.api.endpoint import endpoint
from webmacs.core.identity import Actor
from webmacs.core.permissions import Can
from webmacs.core.schemas import Written
from webmacs.features.accounts import queries
from webmacs.features.people import operations
from webmacs.features.people.blueprint import bp
from webmacs.features.people.schemas import SessionOut


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
