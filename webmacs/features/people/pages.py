"""The pages of users and roles."""

from typing import Any

from flask import Response, flash

from webmacs.core.errors import Conflict
from webmacs.core.identity import Actor, Role
from webmacs.core.paging import PageQuery
from webmacs.core.permissions import GRANTS, INSTALLATION_ADMIN, SCOPE_OF, Access, Can
from webmacs.features.accounts import operations as accounts
from webmacs.features.accounts import queries
from webmacs.features.accounts.schemas import UserFilter, UserIn, UserPatch
from webmacs.features.factors import queries as factors
from webmacs.features.invitations import queries as invitations
from webmacs.features.mails import queries as mails
from webmacs.features.people import operations
from webmacs.features.people.blueprint import bp
from webmacs.features.people.forms import NewUserForm, UserForm
from webmacs.features.resets import operations as resets
from webmacs.features.resets.jobs import PATH as RESET_PATH
from webmacs.web.address import public_address
from webmacs.web.letters import can_send
from webmacs.web.pages import page, screen, see

# --- users ------------------------------------------------------------------------------------------------------------


@bp.get("/users")
@screen(can=Can.MANAGE_USERS, query=UserFilter)
def index(actor: Actor, query: UserFilter) -> Response:
    """The users of the organization."""
    invited = invitations.find(actor, PageQuery(page_size=100))
    return page(
        "people/index.html",
        "people/_table.html",
        found=queries.find(actor, query),
        query=query,
        invited=invited,
        mails=mails.latest_about([invitation.public_id for invitation in invited.data]),
    )


@bp.get("/users/new")
@screen(can=Can.MANAGE_USERS)
def new(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """Add a user."""
    return page("people/new.html", form=NewUserForm(formdata=None))


@bp.post("/users")
@screen(can=Can.MANAGE_USERS)
def create(actor: Actor) -> Response:
    """Create a user with a first password."""
    form = NewUserForm()
    member = form.submit(UserIn, lambda sent: accounts.create(actor, sent))
    if member is None:
        return page("people/new.html", "people/_new.html", form.status, form=form)
    return see("people.show", public_id=member.public_id)


@bp.get("/users/<public_id>")
@screen(can=Can.MANAGE_USERS)
def show(actor: Actor, public_id: str) -> Response:
    """One user: who they are, and where they are signed in."""
    member = queries.get(actor, public_id)
    return page(
        "people/show.html",
        member=member,
        logins=queries.logins_of(actor, public_id),
        locked=queries.why_not_ours(actor, member),
        can_send=can_send(),
        has_factors=bool(factors.ways(member.user_id)),
    )


@bp.get("/users/<public_id>/edit")
@screen(can=Can.MANAGE_USERS)
def edit(actor: Actor, public_id: str) -> Response:
    """Change a user's name, address and role."""
    return _edit(actor, public_id)


def _edit(actor: Actor, public_id: str, failed: UserForm | None = None) -> Response:
    member = queries.get(actor, public_id)
    form = failed or _user_form(actor, formdata=None, obj=member)
    context = {"form": form, "member": member, "locked": queries.why_not_ours(actor, member)}
    return page("people/edit.html", "people/_form.html", form.status, **context)


def _user_form(actor: Actor, **given: Any) -> UserForm:
    form = UserForm(**given)
    if not actor.is_installation_admin:
        del form.is_installation_admin
    return form


@bp.post("/users/<public_id>")
@screen(can=Can.MANAGE_USERS)
def change(actor: Actor, public_id: str) -> Response:
    """Change a user's name, address and role."""
    queries.get(actor, public_id)
    form = _user_form(actor)
    if form.submit(UserPatch, lambda sent: accounts.change(actor, public_id, sent)) is None:
        return _edit(actor, public_id, form)
    return see("people.show", public_id=public_id)


@bp.post("/users/<public_id>/disable")
@screen(can=Can.MANAGE_USERS)
def disable(actor: Actor, public_id: str) -> Response:
    """Keep a user from signing in; their sessions and API tokens stop working."""
    accounts.change(actor, public_id, UserPatch(is_disabled=True))
    return see("people.show", public_id=public_id)


@bp.post("/users/<public_id>/enable")
@screen(can=Can.MANAGE_USERS)
def enable(actor: Actor, public_id: str) -> Response:
    """Let a user sign in again."""
    accounts.change(actor, public_id, UserPatch(is_disabled=False))
    return see("people.show", public_id=public_id)


@bp.post("/users/<public_id>/reset")
@screen(can=Can.MANAGE_USERS)
def reset(actor: Actor, public_id: str) -> Response:
    """Let a user choose a new password; without a mail server the link is shown, this once."""
    code = resets.offer(actor, public_id, by_mail=can_send())
    if code is not None:
        link = f"{public_address()}{RESET_PATH}#{code}"
        return page("people/reset.html", member=queries.get(actor, public_id), link=link)
    flash("A mail with a link is on its way.", "success")
    return see("people.show", public_id=public_id)


@bp.post("/users/<public_id>/reset-factors")
@screen(can=Can.MANAGE_USERS)
def reset_factors(actor: Actor, public_id: str) -> Response:
    """Take the second factors away from a user who lost them."""
    operations.reset_factors_of(actor, public_id)
    flash("The password alone is asked for again; all sessions of the user have ended.", "success")
    return see("people.show", public_id=public_id)


@bp.get("/users/<public_id>/delete")
@screen(can=Can.MANAGE_USERS)
def confirm_delete(actor: Actor, public_id: str) -> Response:
    """Ask before a user is removed, and say what that means."""
    return _confirm_delete(actor, public_id)


def _confirm_delete(actor: Actor, public_id: str, problem: str = "") -> Response:
    member = queries.get(actor, public_id)
    others = len(queries.memberships(member.user_id)) - 1
    return page("people/delete.html", status=422 if problem else 200, member=member, others=others, problem=problem)


@bp.post("/users/<public_id>/delete")
@screen(can=Can.MANAGE_USERS)
def delete(actor: Actor, public_id: str) -> Response:
    """Remove a user from the organization; who belongs to no other is deleted."""
    try:
        accounts.remove(actor, public_id)
    except Conflict as refused:
        return _confirm_delete(actor, public_id, str(refused))
    return see("people.index")


@bp.post("/users/<public_id>/sessions/<session_id>/end")
@screen(can=Can.MANAGE_USERS)
def end_session(actor: Actor, public_id: str, session_id: str) -> Response:
    """End one login of a user."""
    operations.end_login_of(actor, public_id, session_id)
    return see("people.show", public_id=public_id)


@bp.post("/users/<public_id>/sessions/end-all")
@screen(can=Can.MANAGE_USERS)
def end_sessions(actor: Actor, public_id: str) -> Response:
    """End all logins of a user."""
    operations.end_logins_of(actor, public_id)
    return see("people.show", public_id=public_id)


# --- roles ------------------------------------------------------------------------------------------------------------


@bp.get("/roles")
@screen(can=Access.SIGNED_IN)
def roles(actor: Actor) -> Response:
    """What each role may do, and which scope of an API token covers it."""
    columns = [(role.value, role.capitalize(), GRANTS[role]) for role in reversed(Role)]
    columns.append(("installation", "Installation administrator", INSTALLATION_ADMIN))
    return page(
        "people/roles.html",
        heads=[(key, label) for key, label, _ in columns],
        permissions=[(can.value, SCOPE_OF[can], [can in granted for _, _, granted in columns]) for can in Can],
        mine="installation" if actor.is_installation_admin else actor.role,
    )
