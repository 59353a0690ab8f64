"""Inviting, and the page where an invitation is accepted."""

from typing import Any

from flask import Response, current_app, flash, request

from webmacs.core.errors import Invalid
from webmacs.core.identity import Actor
from webmacs.core.permissions import Access, Can
from webmacs.features.accounts import operations as accounts
from webmacs.features.accounts import queries as users
from webmacs.features.invitations import operations, queries
from webmacs.features.invitations.blueprint import bp
from webmacs.features.invitations.forms import CodeForm, InvitationForm, JoinForm
from webmacs.features.invitations.jobs import PATH
from webmacs.features.invitations.schemas import CodeIn, InvitationIn, JoinIn
from webmacs.web.address import public_address
from webmacs.web.arrival import device, lifetime, remember_browser
from webmacs.web.guard import guarded
from webmacs.web.letters import can_send
from webmacs.web.pages import page, screen, see

COOKIE = "webmacs-invitation"  # the code, between the link and the form behind it; also across a sign-in
COOKIE_LASTS = 3600  # seconds


@bp.get("/invitations/new")
@screen(can=Can.MANAGE_USERS)
def new(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """Invite somebody."""
    return page("invitations/new.html", form=InvitationForm(formdata=None), can_send=can_send())


@bp.post("/invitations")
@screen(can=Can.MANAGE_USERS)
def create(actor: Actor) -> Response:
    """Invite somebody by mail; without a mail server the link is shown, this once."""
    form = InvitationForm()
    made = form.submit(InvitationIn, lambda sent: operations.invite(actor, sent, by_mail=can_send()))
    if made is None:
        return page("invitations/new.html", status=form.status, form=form, can_send=can_send())
    invitation, code = made
    if code is not None:
        return page("invitations/made.html", invitation=invitation, link=f"{public_address()}{PATH}#{code}")
    flash(f"A mail with the invitation is on its way to {invitation.email}.", "success")
    return see("people.index")


@bp.post("/invitations/<public_id>/revoke")
@screen(can=Can.MANAGE_USERS)
def revoke(actor: Actor, public_id: str) -> Response:
    """End an invitation."""
    operations.revoke(actor, public_id)
    return see("people.index")


@bp.get(PATH)
@screen(can=Access.PUBLIC)
def show(actor: Actor) -> Response:
    """Accept an invitation: first its code, then who one is."""
    invitation = queries.by_code(_kept_code())
    if invitation is None:
        return page("invitations/code.html", form=CodeForm(formdata=None))
    return _show(actor, invitation, JoinForm(formdata=None))


def _show(actor: Actor, invitation: Any, form: JoinForm) -> Response:
    return page(
        "invitations/accept.html",
        status=form.status,
        invitation=invitation,
        form=form,
        me=None if actor.is_anonymous else users.me(actor),
        is_known=users.by_email(invitation.email) is not None,
    )


def _kept_code() -> str:
    return request.cookies.get(COOKIE, "")


@bp.post(PATH)
@screen(can=Access.PUBLIC)
def take(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """Look at the invitation of a code."""
    form = CodeForm()
    code = form.submit(CodeIn, _existing)
    if code is None:
        return page("invitations/code.html", status=form.status, form=form)
    response = see("invitations.show")
    is_secure = current_app.config["SESSION_COOKIE_SECURE"]
    response.set_cookie(COOKIE, code, max_age=COOKIE_LASTS, path=PATH, httponly=True, samesite="Lax", secure=is_secure)
    return response


def _existing(sent: CodeIn) -> str:
    with guarded("invitation", None):
        if queries.by_code(sent.code) is None:
            raise Invalid({"code": operations.NOT_VALID})
    return sent.code


@bp.post(f"{PATH}/join")
@screen(can=Access.PUBLIC)
def join(actor: Actor) -> Response:
    """Make an account by an invitation and sign in."""
    invitation = queries.by_code(_kept_code())
    if invitation is None:
        return _over()
    form = JoinForm()
    member = form.submit(JoinIn, lambda sent: operations.join(_kept_code(), sent))
    if member is None:
        return _show(actor, invitation, form)
    remember_browser(accounts.open_login(member.user, "browser", device(), lifetime()).public_id)
    return _arrived()


@bp.post(f"{PATH}/accept")
@screen(can=Can.MANAGE_SELF)
def accept(actor: Actor) -> Response:
    """Become a member of one more organization."""
    try:
        operations.accept(actor, _kept_code())
    except Invalid:
        return _over()
    return _arrived()


def _over() -> Response:
    form = CodeForm(formdata=None)
    form.form_errors, form.status = [operations.NOT_VALID], 422
    return page("invitations/code.html", status=form.status, form=form)


def _arrived() -> Response:
    response = see("dashboards.overview")
    response.delete_cookie(COOKIE, path=PATH)
    return response
