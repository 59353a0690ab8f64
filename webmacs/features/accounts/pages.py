"""Claiming, signing in and out, and one's own profile."""

from flask import Response, request, session

from webmacs.core.errors import SecondFactorRequired, TooMany, Unauthenticated
from webmacs.core.identity import Actor
from webmacs.core.permissions import Access, Can
from webmacs.features.accounts import operations, queries
from webmacs.features.accounts.blueprint import bp
from webmacs.features.accounts.forms import ClaimForm, LoginForm, NameForm, PasswordForm
from webmacs.features.accounts.schemas import ClaimIn, LoginIn, PasswordChange, ProfilePatch
from webmacs.features.factors import operations as factors
from webmacs.features.factors import queries as factors_queries
from webmacs.features.factors.schemas import Purpose
from webmacs.gateways.passkeys import Site
from webmacs.web.address import public_address
from webmacs.web.arrival import device, lifetime, remember_browser
from webmacs.web.forms import SchemaForm
from webmacs.web.guard import guarded
from webmacs.web.pages import local_target, page, screen, see, to


@bp.get("/claim")
@screen(can=Access.PUBLIC)
def claim(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """Take over a new installation with the one-time code."""
    if queries.is_claimed():
        return see("accounts.login")
    return page("accounts/claim.html", form=ClaimForm())


@bp.post("/claim")
@screen(can=Access.PUBLIC)
def claim_now(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """Make the first administrator and sign them in."""
    form = ClaimForm()
    if form.submit(ClaimIn, _claim) is None:
        return page("accounts/claim.html", "accounts/_claim.html", form.status, form=form)
    _begin(LoginIn(email=form.email.data, password=form.password.data))
    return see("dashboards.overview")


def _claim(wish: ClaimIn) -> object:
    with guarded("claim", None):
        return operations.claim(wish)


@bp.get("/login")
@screen(can=Access.PUBLIC)
def login(actor: Actor) -> Response:
    """Sign in."""
    target = local_target(request.args.get("next"))
    if not actor.is_anonymous:
        return to(target)
    if not queries.is_claimed():
        return see("accounts.claim")
    return _login(LoginForm(), target)


def _login(form: LoginForm, target: str) -> Response:
    has_passkeys = factors_queries.any_passkey() and Site(public_address()).has_name
    return page("accounts/login.html", status=form.status, form=form, next=target, has_passkeys=has_passkeys)


@bp.post("/login")
@screen(can=Access.PUBLIC)
def login_now(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """Check the password and open a session."""
    form = LoginForm()
    target = local_target(request.form.get("next"))
    wait = None
    try:
        if form.submit(LoginIn, _begin) is not None:
            return to(target)
    except SecondFactorRequired as more:
        session.clear()
        session[Purpose.SIGN_IN] = factors.begin(Purpose.SIGN_IN, more.user_id)
        return see("signin.second_factor", next=target)
    except Unauthenticated as refused:
        form.form_errors, form.status = [str(refused)], 401
    except TooMany as refused:
        form.form_errors, form.status, wait = [str(refused)], 429, refused.retry_after
    answer = _login(form, target)
    if wait is not None:
        answer.headers["Retry-After"] = str(wait)
    return answer


def _begin(attempt: LoginIn) -> bool:
    with guarded("password", attempt.email):
        login = operations.sign_in(attempt, "browser", device(), lifetime())
    remember_browser(login.public_id)
    return True


@bp.post("/logout")
@screen(can=Access.SIGNED_IN)
def logout(actor: Actor) -> Response:
    """Sign out on this device."""
    operations.sign_out(actor)
    session.clear()
    return see("accounts.login")


@bp.get("/profile")
@screen(can=Access.SIGNED_IN)
def profile(actor: Actor) -> Response:
    """One's own account: name, password, sessions."""
    return _profile(actor)


def _profile(actor: Actor, failed: SchemaForm | None = None) -> Response:
    user = queries.member(actor)
    forms = {form.__class__.__name__: form for form in (failed,) if form is not None}
    return page(
        "accounts/profile.html",
        status=failed.status if failed else 200,
        user=user,
        name_form=forms.get("NameForm") or NameForm(formdata=None, username=user.username),
        password_form=forms.get("PasswordForm") or PasswordForm(formdata=None),
        logins=queries.logins(actor),
        summary=factors_queries.summary(actor),
    )


@bp.post("/profile/name")
@screen(can=Can.MANAGE_SELF)
def rename(actor: Actor) -> Response:
    """Change one's own name."""
    form = NameForm()
    if form.submit(ProfilePatch, lambda patch: operations.rename_self(actor, patch.username)) is None:
        return _profile(actor, form)
    return see("accounts.profile")


@bp.post("/profile/password")
@screen(can=Can.MANAGE_SELF)
def change_password(actor: Actor) -> Response:
    """Change one's own password; all other logins end."""
    form = PasswordForm()

    def change(wish: PasswordChange) -> object:
        with guarded("own password", actor.public_id):  # a browser that was left open is no place to guess
            return operations.change_own_password(actor, wish)

    if form.submit(PasswordChange, change) is None:
        return _profile(actor, form)
    return see("accounts.profile")


@bp.post("/profile/sessions/<public_id>/end")
@screen(can=Can.MANAGE_SELF)
def end_session(actor: Actor, public_id: str) -> Response:
    """End one of one's own logins."""
    operations.end_login(actor, public_id)
    return see("accounts.profile")


@bp.post("/profile/sessions/end-others")
@screen(can=Can.MANAGE_SELF)
def end_other_sessions(actor: Actor) -> Response:
    """End all of one's own logins but this one."""
    operations.end_other_logins(actor)
    return see("accounts.profile")
