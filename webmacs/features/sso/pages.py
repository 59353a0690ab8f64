"""Landing after a sign-in at a provider, one's linked identities, and signing out there, too."""

import hmac
from typing import Any
from urllib.parse import urlsplit

from flask import Response, flash, request, session

from webmacs.core.errors import Rejected, Upstream
from webmacs.core.identity import Actor
from webmacs.core.permissions import Access, Can
from webmacs.features.sso import jobs, operations, queries
from webmacs.features.sso.blueprint import bp
from webmacs.features.sso.forms import LinkForm, UnlinkForm
from webmacs.features.sso.schemas import Intent, Landing, LinkIn, UnlinkIn
from webmacs.gateways.signing import fingerprint
from webmacs.web.arrival import device, lifetime, remember_browser
from webmacs.web.guard import guarded
from webmacs.web.headers import CONTENT_POLICY
from webmacs.web.pages import local_target, page, screen, see, to
from webmacs.web.parcels import carried, carry

WHY = {
    "denied": "The identity provider did not sign you in: the request was denied or cancelled. You can try again.",
    "failed": "The identity provider reported an error. Try again, or ask your administrator.",
}


@bp.app_context_processor
def offer() -> dict[str, Any]:
    """For every template: `sso_offers(next)` and what came of an attempt, in `sso_message`."""
    return {"sso_offers": jobs.offers, "sso_message": WHY.get(request.args.get("sso_error", ""))}


@bp.get("/sso-callback")
@screen(can=Access.PUBLIC, calls_out=True)
def landing(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """Sign this browser in with the one-time code that was made for it, and take the code out of the address."""
    code = request.args.get("code", "")
    mine = carried(Landing)
    if mine is None or not hmac.compare_digest(mine.code_hash, fingerprint(code)):
        return _expired()
    try:
        login_id = jobs.land(code, device(), lifetime())
    except Rejected:
        return _expired()
    remember_browser(login_id)
    session["sso"] = True  # signing out leads by the provider then, see the header and `logout`
    return carry(to(local_target(mine.next)), None)


def _expired() -> Response:
    return carry(page("sso/expired.html", status=400), None)


@bp.get("/profile/sso")
@screen(can=Can.MANAGE_SELF)
def identities(actor: Actor) -> Response:
    """The identities that are linked to one's own account."""
    return _identities(actor, LinkForm(formdata=None))


def _identities(actor: Actor, form: LinkForm) -> Response:
    found = queries.identities(actor)
    issuers = {one.issuer.rstrip("/") for one in found}
    linkable = [one.provider for one in jobs.clients().enabled() if one.provider.issuer_url not in issuers]
    form.provider.choices = [(known.key, known.provider_name) for known in linkable]
    return page(
        "sso/index.html",
        status=form.status,
        identities=found,
        form=form if linkable else None,
        has_password=queries.has_password(actor),
    )


@bp.post("/profile/sso/link")
@screen(can=Can.MANAGE_SELF)
def link(actor: Actor) -> Response:
    """Confirm the wish by the password, then lead to the provider."""
    form = LinkForm()

    def confirm(wish: LinkIn) -> LinkIn:
        with guarded("own password", actor.public_id):  # a browser that was left open is no place to guess
            return operations.confirm(actor, wish)

    wish = form.submit(LinkIn, confirm)
    if wish is None:
        return _identities(actor, form)
    provider = jobs.client(wish.provider).provider
    intent = Intent(provider=provider.key, session_id=actor.session_id or "")
    # a link, not a redirect: browsers that keep our content policy do not follow a form to another site
    return carry(page("sso/continue.html", url=jobs.link_url(provider), provider=provider), intent)


@bp.get("/profile/sso/<public_id>/unlink")
@screen(can=Can.MANAGE_SELF)
def confirm_unlink(actor: Actor, public_id: str) -> Response:
    """Ask before an identity is not linked any more."""
    return _unlink(actor, public_id, UnlinkForm(formdata=None))


def _unlink(actor: Actor, public_id: str, form: UnlinkForm) -> Response:
    found, has_password = queries.identity(actor, public_id), queries.has_password(actor)
    return page("sso/unlink.html", status=form.status, identity=found, form=form, has_password=has_password)


@bp.post("/profile/sso/<public_id>/unlink")
@screen(can=Can.MANAGE_SELF)
def unlink(actor: Actor, public_id: str) -> Response:
    """Part with an identity."""
    form = UnlinkForm()

    def part(wish: UnlinkIn) -> object:
        with guarded("own password", actor.public_id):
            return operations.unlink(actor, public_id, wish.current_password)

    if form.submit(UnlinkIn, part) is None:
        return _unlink(actor, public_id, form)
    flash("The identity is not linked any more.", "success")
    return see("sso.identities")


@bp.post("/sso/logout")
@screen(can=Access.SIGNED_IN, calls_out=True)
def logout(actor: Actor) -> Response:
    """Sign out here, and offer to sign out at the provider, too."""
    found = jobs.farewell(actor)
    session.clear()
    try:
        url = None if found is None else found[0].end_session_url()
    except Upstream:  # here one is signed out, whatever the provider does
        url = None
    if found is None or url is None:
        return see("accounts.login")
    provider, id_token = found[0].provider, found[1]
    back = f"{jobs.clients().landing}/login"
    response = page("sso/signed_out.html", url=url, provider=provider, id_token=id_token, back=back)
    # the token travels in a form, so that it stands in no address; the provider may hand on to others
    scheme = f"{urlsplit(url).scheme}:"
    response.headers["Content-Security-Policy"] = CONTENT_POLICY.replace("form-action 'self'", f"form-action {scheme}")
    return response
