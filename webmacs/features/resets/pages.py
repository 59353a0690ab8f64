"""The pages for whoever forgot a password."""

from flask import Response, flash

from webmacs.core.errors import Unavailable
from webmacs.core.identity import Actor
from webmacs.core.permissions import Access
from webmacs.features.resets import operations
from webmacs.features.resets.blueprint import bp
from webmacs.features.resets.forms import ForgottenForm, ResetForm
from webmacs.features.resets.schemas import ForgottenIn, ResetIn
from webmacs.web.guard import guarded
from webmacs.web.letters import can_send
from webmacs.web.pages import page, screen, see


@bp.get("/forgot-password")
@screen(can=Access.PUBLIC)
def forgotten(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """Ask for a link that lets one choose a new password."""
    return page("resets/forgotten.html", form=ForgottenForm(), can_send=can_send(), is_done=False)


@bp.post("/forgot-password")
@screen(can=Access.PUBLIC)
def forgotten_now(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """Have the link mailed; the answer says nothing about whether there is such an account."""
    if not can_send():
        raise Unavailable("This installation sends no mail; ask an administrator for a link.")
    form = ForgottenForm()
    asked = form.submit(ForgottenIn, _ask)
    return page("resets/forgotten.html", status=form.status, form=form, can_send=True, is_done=asked is not None)


def _ask(sent: ForgottenIn) -> object:
    with guarded("forgotten", sent.email, counts_all=True):
        return operations.ask(sent.email)


@bp.get("/reset-password")
@screen(can=Access.PUBLIC)
def reset(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """Choose a new password with the code of a link."""
    return page("resets/reset.html", form=ResetForm())


@bp.post("/reset-password")
@screen(can=Access.PUBLIC)
def reset_now(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """Choose a new password with the code of a link."""
    form = ResetForm()
    if form.submit(ResetIn, _use) is None:
        return page("resets/reset.html", status=form.status, form=form)
    flash("Your password was changed. Sign in with the new one.", "success")
    return see("accounts.login")


def _use(sent: ResetIn) -> object:
    with guarded("reset", None):
        return operations.use(sent)
