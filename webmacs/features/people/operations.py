"""What administrators do to the logins and second factors of others."""

from webmacs.core.errors import Conflict, Forbidden, NotFound
from webmacs.core.identity import Actor
from webmacs.core.permissions import Can, authorize
from webmacs.features.accounts import operations as accounts
from webmacs.features.accounts import queries
from webmacs.features.accounts.models import Login, Membership
from webmacs.features.factors import operations as factors
from webmacs.features.factors import queries as factors_queries


def end_login_of(actor: Actor, public_id: str, session_id: str) -> None:
    """End one login of a user that acts in the actor's organization."""
    member = _theirs(actor, public_id)
    if session_id not in {login.public_id for login in queries.logins_of(actor, public_id)}:
        raise NotFound("Session", session_id)
    accounts.end_logins(member.user_id, Login.public_id == session_id)


def end_logins_of(actor: Actor, public_id: str) -> None:
    """End all logins of a user that act in the actor's organization, besides the one in use."""
    member = _theirs(actor, public_id)
    here = Login.organization_id == actor.organization_id
    accounts.end_logins(member.user_id, here, Login.public_id != (actor.session_id or ""))


def reset_factors_of(actor: Actor, public_id: str) -> None:
    """Take the second factors away from a user who lost them; all of their logins end."""
    authorize(actor, Can.MANAGE_USERS)
    member = queries.get(actor, public_id)
    reason = queries.why_not_ours(actor, member)
    if reason:
        raise Forbidden(reason)
    if member.user_id == actor.user_id:
        raise Conflict("Change your own second factors in your profile.")
    if not factors_queries.ways(member.user_id):
        raise Conflict(f"{member.username} has no second factor.")
    factors.reset(actor, member.user_id)


def _theirs(actor: Actor, public_id: str) -> Membership:
    authorize(actor, Can.MANAGE_USERS)
    member = queries.get(actor, public_id)
    if member.is_installation_admin and not actor.is_installation_admin and member.user_id != actor.user_id:
        raise Forbidden(queries.why_not_ours(actor, member))
    return member
