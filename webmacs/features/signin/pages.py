"""What follows the right password, passkeys without one, and proving once more who one is."""

from flask import Response, flash, request, session

from webmacs.core.identity import Actor
from webmacs.core.permissions import Access, Can
from webmacs.features.factors import operations as factors
from webmacs.features.factors import queries as factors_queries
from webmacs.features.factors.schemas import Purpose, Way
from webmacs.features.signin import operations, queries
from webmacs.features.signin.blueprint import bp
from webmacs.features.signin.forms import ProofForm
from webmacs.features.signin.schemas import ProofIn
from webmacs.gateways.passkeys import Site
from webmacs.web.address import public_address
from webmacs.web.arrival import device, lifetime, remember_browser
from webmacs.web.forms import sent_data
from webmacs.web.guard import guarded
from webmacs.web.pages import local_target, page, screen, see, to


def _enter(user_id: int, way: Way, target: str) -> Response:
    remember_browser(operations.enter(user_id, way, device(), lifetime()))
    return to(target)


@bp.get("/login/second-factor")
@screen(can=Access.PUBLIC)
def second_factor(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """What must follow the right password."""
    handle, target = session.get(Purpose.SIGN_IN, ""), local_target(request.args.get("next"))
    step = factors_queries.step(Purpose.SIGN_IN, handle)
    if step is None or step.user_id is None:
        session.pop(Purpose.SIGN_IN, None)
        flash("Please sign in again: this took too long, or too many codes were wrong.", "problem")
        return see("accounts.login", next=target)
    return page(
        "signin/second_factor.html",
        ways=factors_queries.ways(step.user_id),
        attempts=step.attempts,
        left=factors_queries.MOST_ATTEMPTS - step.attempts,
        options=factors.passkey_options(Purpose.SIGN_IN, handle, Site(public_address())),
        next=target,
    )


@bp.post("/login/second-factor")
@screen(can=Access.PUBLIC)
def second_factor_now(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """Open a session for a right code. A wrong one leads back (303): a refusal would not keep that it was tried."""
    target = local_target(request.form.get("next"))
    handle = session.get(Purpose.SIGN_IN, "")
    step = factors_queries.step(Purpose.SIGN_IN, handle)
    # each right password gives a few tries more: guessed codes are counted for the user too
    with guarded("factor", None if step is None else str(step.user_id)) as attempt:
        passed = factors.answer_with_code(handle, sent_data("code"))
        if passed is None:
            attempt.fail()
    if passed is None:
        return see("signin.second_factor", next=target)
    return _enter(*passed, target)


@bp.post("/login/second-factor/passkey")
@screen(can=Access.PUBLIC)
def second_factor_passkey(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """Open a session for a passkey that follows the password."""
    target, handle = local_target(request.form.get("next")), session.get(Purpose.SIGN_IN, "")
    user_id = factors.answer_with_passkey(Purpose.SIGN_IN, handle, sent_data("credential"), Site(public_address()))
    if user_id is None:
        return see("signin.second_factor", next=target)
    return _enter(user_id, Way.PASSKEY, target)


@bp.post("/login/passkey")
@screen(can=Access.PUBLIC)
def passkey_begin(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """Begin to sign in by a passkey alone."""
    session[Purpose.PASSWORDLESS] = factors.begin(Purpose.PASSWORDLESS, handle=session.get(Purpose.PASSWORDLESS))
    return see("signin.passkey", next=local_target(request.form.get("next")))


@bp.get("/login/passkey")
@screen(can=Access.PUBLIC)
def passkey(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """Ask the browser for a passkey."""
    target = local_target(request.args.get("next"))
    options = factors.passkey_options(
        Purpose.PASSWORDLESS, session.get(Purpose.PASSWORDLESS, ""), Site(public_address())
    )
    return (
        see("accounts.login", next=target)
        if options is None
        else page("signin/passkey.html", options=options, next=target)
    )


@bp.post("/login/passkey/finish")
@screen(can=Access.PUBLIC)
def passkey_now(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """Open a session for a passkey whose device has checked its user."""
    target, handle = local_target(request.form.get("next")), session.pop(Purpose.PASSWORDLESS, "")
    site = Site(public_address())
    user_id = factors.answer_with_passkey(Purpose.PASSWORDLESS, handle, sent_data("credential"), site)
    if user_id is None:
        flash("This passkey was not accepted. Sign in with your password.", "problem")
        return see("accounts.login", next=target)
    return _enter(user_id, Way.PASSKEY, target)


@bp.get("/profile/confirm")
@screen(can=Can.MANAGE_SELF)
def confirm(actor: Actor) -> Response:
    """Ask who it is once more, before something that a stolen session must not do."""
    return _confirm(actor, ProofForm(), request.args.get("next"))


def _confirm(actor: Actor, form: ProofForm, target: str | None) -> Response:
    kind = queries.proof_of(actor)
    return page("signin/confirm.html", status=form.status, form=form, kind=kind, next=local_target(target))


@bp.post("/profile/confirm")
@screen(can=Can.MANAGE_SELF)
def confirm_now(actor: Actor) -> Response:
    """Check the password, or what stands in its place, for the next ten minutes."""
    form, target = ProofForm(), request.form.get("next")

    def confirm(given: ProofIn) -> object:
        with guarded("own password", actor.public_id):
            return operations.confirm(actor, given.proof)

    if form.submit(ProofIn, confirm) is None:
        return _confirm(actor, form, target)
    return to(local_target(target))
