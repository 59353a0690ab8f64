"""One's own second factors: authenticator app, passkeys, recovery codes."""

from flask import Response
from markupsafe import Markup

from webmacs.core.identity import Actor
from webmacs.core.permissions import Access, Can
from webmacs.features.factors import operations, queries
from webmacs.features.factors.blueprint import bp
from webmacs.features.factors.forms import AppCodeForm, PasskeyAnswerForm, PasskeyForm
from webmacs.features.factors.schemas import CodeIn, PasskeyAnswerIn, PasskeyIn
from webmacs.gateways.passkeys import Site
from webmacs.web.address import public_address
from webmacs.web.forms import SchemaForm
from webmacs.web.pages import page, screen, see


@bp.get("/profile/second-factor")
@screen(can=Access.SIGNED_IN)
def overview(actor: Actor) -> Response:
    """What signing in asks for besides the password."""
    return _overview(actor)


def _overview(actor: Actor, failed: SchemaForm | None = None) -> Response:
    return page(
        "factors/index.html",
        status=failed.status if failed else 200,
        summary=queries.summary(actor),
        is_confirmed=queries.is_confirmed(actor),
        site=Site(public_address()),
        passkey_form=failed or PasskeyForm(formdata=None),
    )


def _codes(actor: Actor, codes: list[str]) -> Response:
    return page("factors/codes.html", codes=codes, name=actor.username) if codes else see("factors.overview")


@bp.post("/profile/second-factor/app")
@screen(can=Can.MANAGE_SELF)
def begin_app(actor: Actor) -> Response:
    """Begin to set up an authenticator app."""
    operations.begin_authenticator(actor)
    return see("factors.app")


@bp.get("/profile/second-factor/app")
@screen(can=Can.MANAGE_SELF)
def app(actor: Actor) -> Response:
    """The picture that the authenticator app reads, for the login that began."""
    return _app(actor, AppCodeForm())


def _app(actor: Actor, form: AppCodeForm) -> Response:
    shown = queries.enrolment(actor, actor.username)
    if shown is None:
        return see("factors.overview")
    picture = Markup(shown[1])  # noqa: S704 - drawn by segno: nothing in it was typed but the user's name, encoded
    return page("factors/app.html", status=form.status, form=form, secret=shown[0], picture=picture)


@bp.post("/profile/second-factor/app/confirm")
@screen(can=Can.MANAGE_SELF)
def finish_app(actor: Actor) -> Response:
    """Let the authenticator app count."""
    form = AppCodeForm()
    codes = form.submit(CodeIn, lambda wish: operations.finish_authenticator(actor, wish.code))
    return _app(actor, form) if codes is None else _codes(actor, codes)


@bp.post("/profile/second-factor/app/remove")
@screen(can=Can.MANAGE_SELF)
def remove_app(actor: Actor) -> Response:
    """Take the authenticator app away."""
    operations.remove_authenticator(actor)
    return see("factors.overview")


@bp.post("/profile/second-factor/passkeys")
@screen(can=Can.MANAGE_SELF)
def begin_passkey(actor: Actor) -> Response:
    """Ask the browser for a new passkey."""
    form = PasskeyForm()
    options = form.submit(PasskeyIn, lambda _: operations.begin_passkey(actor, Site(public_address())))
    if options is None:
        return _overview(actor, form)
    return page("factors/passkey.html", name=form.name.data, options=options)


@bp.post("/profile/second-factor/passkeys/finish")
@screen(can=Can.MANAGE_SELF)
def finish_passkey(actor: Actor) -> Response:
    """Keep the passkey that the browser made."""
    form, site = PasskeyAnswerForm(), Site(public_address())
    codes = form.submit(
        PasskeyAnswerIn, lambda answer: operations.finish_passkey(actor, answer.name, answer.credential, site)
    )
    if codes is not None:
        return _codes(actor, codes)
    again = PasskeyForm(formdata=None, name=form.name.data)
    again.form_errors, again.status = ["The browser's answer was not right. Please begin again."], form.status
    return _overview(actor, again)


@bp.post("/profile/second-factor/passkeys/<public_id>/remove")
@screen(can=Can.MANAGE_SELF)
def remove_passkey(actor: Actor, public_id: str) -> Response:
    """Take one passkey away."""
    operations.remove_passkey(actor, public_id)
    return see("factors.overview")


@bp.post("/profile/second-factor/codes")
@screen(can=Can.MANAGE_SELF)
def renew_codes(actor: Actor) -> Response:
    """Make new recovery codes and show them, this once."""
    return _codes(actor, operations.renew_recovery_codes(actor))
