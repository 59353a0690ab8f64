"""/api/v1/auth/logout and /me, /api/v1/users."""

from webmacs.api.endpoint import endpoint
from webmacs.core.identity import Actor
from webmacs.core.paging import PageOut
from webmacs.core.permissions import Access, Can
from webmacs.core.schemas import Written
from webmacs.features.accounts import operations, queries
from webmacs.features.accounts.blueprint import bp
from webmacs.features.accounts.schemas import (
    UserFilter,
    UserIn,
    UserOut,
    UserPatch,
)


@bp.post("/api/v1/auth/logout")
@endpoint("Revoke the current token", can=Access.SIGNED_IN, out=Written, errors=(409,))
def logout_json(actor: Actor) -> object:
    """The JWT in use cannot be used again. API tokens are deleted under /tokens instead (409)."""
    operations.sign_out(actor)
    return Written(message="Successfully logged out.")


@bp.get("/api/v1/auth/me")
@endpoint("Get current user info", can=Access.SIGNED_IN, out=UserOut, by_channel=True)
def me_json(actor: Actor) -> object:
    """The user behind the credential."""
    return queries.member(actor)


@bp.get("/api/v1/users")
@endpoint("List all users", can=Can.MANAGE_USERS, query=UserFilter, out=PageOut[UserOut])
def list_users_json(actor: Actor, query: UserFilter) -> object:
    """In the order of their creation."""
    return queries.find(actor, query)


@bp.get("/api/v1/users/<public_id>")
@endpoint("Get a user", can=Can.MANAGE_USERS, out=UserOut, errors=(404,))
def get_user_json(actor: Actor, public_id: str) -> object:
    """One user."""
    return queries.get(actor, public_id)


@bp.post("/api/v1/users")
@endpoint("Create a user", can=Can.MANAGE_USERS, body=UserIn, out=Written, status=201, errors=(409,))
def create_user_json(actor: Actor, body: UserIn) -> object:
    """The role is `viewer` unless given."""
    user = operations.create(actor, body)
    return Written(message="User successfully created.", public_id=user.public_id)


@bp.put("/api/v1/users/<public_id>")
@endpoint("Update a user", can=Can.MANAGE_USERS, body=UserPatch, out=Written, errors=(404, 409))
def change_user_json(actor: Actor, public_id: str, body: UserPatch) -> object:
    """Here null means "leave unchanged". A new password or role, or being disabled, ends the user's logins."""
    operations.change(actor, public_id, body)
    return Written(message="User successfully updated.", public_id=public_id)


@bp.delete("/api/v1/users/<public_id>")
@endpoint("Delete a user", can=Can.MANAGE_USERS, out=Written, errors=(404, 409))
def remove_user_json(actor: Actor, public_id: str) -> object:
    """Who belongs to another organization too is removed from this one. What the user made stays.

    Nobody can delete themselves or the last administrator.
    """
    operations.remove(actor, public_id)
    return Written(message="User successfully deleted.", public_id=public_id)
