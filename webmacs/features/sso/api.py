"""/api/v1/auth/sso."""

from urllib.parse import urlencode

from flask import Response, request

from webmacs.api.endpoint import endpoint
from webmacs.core.errors import Rejected
from webmacs.core.identity import Actor
from webmacs.core.permissions import Access
from webmacs.features.sso import jobs
from webmacs.features.sso.blueprint import bp
from webmacs.features.sso.schemas import (
    AuthorizeQuery,
    CallbackQuery,
    ConfigOut,
    ExchangeIn,
    ExchangeOut,
    Flow,
    Intent,
    Landing,
    LogoutOut,
    ProviderQuery,
)
from webmacs.gateways.oidc import issuer_of
from webmacs.gateways.signing import fingerprint
from webmacs.web.arrival import device, lifetime
from webmacs.web.pages import local_target, to
from webmacs.web.parcels import carried, carry

FORM = "application/x-www-form-urlencoded"


@bp.get("/api/v1/auth/sso/config")
@endpoint("Whether single sign-on is offered", can=Access.PUBLIC, query=ProviderQuery, out=ConfigOut)
def sso_config_json(actor: Actor, query: ProviderQuery) -> object:  # noqa: ARG001 - every view gets the actor
    """For the default provider, or the one that is named; `providers` lists all that are offered."""
    offers = jobs.offers()
    asked = next((offer for offer in offers if offer.key == query.provider), None)
    return ConfigOut(
        enabled=asked is not None,
        provider_name=asked.provider_name if asked else "",
        authorize_url=asked.authorize_url if asked else "",
        providers=offers,
    )


@bp.get("/api/v1/auth/sso/authorize")
@endpoint(
    "Redirect to the identity provider",
    can=Access.PUBLIC,
    query=AuthorizeQuery,
    status=307,
    errors=(404, 500, 502),
    streams="text/html",
    calls_out=True,
    is_visited=True,
)
def sso_authorize_json(actor: Actor, query: AuthorizeQuery) -> Response:  # noqa: ARG001 - every view gets the actor
    """Begin a sign-in: authorization code with PKCE (S256), state and nonce, all bound to this browser."""
    intent = carried(Intent)  # the profile page gave it to a browser that wants to link an identity
    confirmed = intent is not None and intent.provider == query.provider and query.next == jobs.LINKED
    links = intent.session_id if intent is not None and confirmed else None
    url, flow = jobs.begin(jobs.client(query.provider), local_target(query.next), links)
    return carry(to(url, 307), flow)


@bp.get("/api/v1/auth/sso/callback")
@endpoint(
    "Return from the identity provider",
    can=Access.PUBLIC,
    query=CallbackQuery,
    status=307,
    errors=(400, 401, 403, 404, 409, 500, 502),
    streams="text/html",
    calls_out=True,
    is_visited=True,
)
def sso_callback_json(actor: Actor, query: CallbackQuery) -> Response:
    """Check who came, and redirect to the front end with a one-time code that counts for 60 seconds."""
    provider = jobs.client(query.provider)
    provider.check()
    flow = carried(Flow)
    if query.error:
        return _turn_back(flow, query.error)
    visitor = jobs.identify(provider, flow, query.state, query.code, query.iss)
    if flow is not None and flow.links is not None:
        if actor.via != "browser" or actor.session_id != flow.links:
            raise Rejected("The state of this sign-in belongs to another session. Begin again on the profile page.")
        jobs.link(actor, visitor)
        return carry(to(jobs.LINKED, 307), None)
    code = jobs.admit(visitor)
    landing = Landing(code_hash=fingerprint(code), next=flow.next if flow else "/")
    return carry(to(f"{jobs.clients().landing}/sso-callback?code={code}", 307), landing)


def _turn_back(flow: Flow | None, error: str) -> Response:
    """The provider refused, or the user thought better of it: back to where they came from, with a readable message."""
    why = urlencode({"sso_error": "denied" if error == "access_denied" else "failed"})
    if flow is not None and flow.links is not None:
        return carry(to(f"{jobs.LINKED}?{why}", 307), None)
    onward = f"&{urlencode({'next': flow.next})}" if flow is not None and flow.next != "/" else ""
    return carry(to(f"{jobs.clients().landing}/login?{why}{onward}", 307), None)


@bp.post("/api/v1/auth/sso/exchange")
@endpoint("Exchange the one-time code for a JWT", can=Access.PUBLIC, body=ExchangeIn, out=ExchangeOut, replayable=False)
def sso_exchange_json(actor: Actor, body: ExchangeIn) -> object:  # noqa: ARG001 - every view gets the actor
    """Once, and within 60 seconds; else 400."""
    return ExchangeOut(access_token=jobs.exchange(body.code, device(), lifetime()))


@bp.post("/api/v1/auth/sso/backchannel-logout")
@endpoint(
    "The identity provider ends logins",
    can=Access.PUBLIC,
    out=LogoutOut,
    errors=(404, 502),
    uploads=(FORM,),
    calls_out=True,
)
def sso_backchannel_logout_json(actor: Actor) -> object:  # noqa: ARG001 - every view gets the actor
    """OpenID Connect Back-Channel Logout 1.0: `logout_token` of the form ends the logins that it names."""
    token = request.form.get("logout_token", "")
    provider = jobs.clients().of_issuer(issuer_of(token))
    if provider is None:
        raise Rejected("The logout token is refused, iss.")
    jobs.end(provider, token)
    return LogoutOut()
