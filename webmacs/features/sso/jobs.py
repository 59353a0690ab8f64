"""What needs the network: the steps of a sign-in at a provider. Each waits first and opens its transaction then."""

import hmac
import secrets
from contextlib import suppress
from datetime import timedelta
from urllib.parse import urlencode

from flask import current_app
from sqlalchemy.exc import IntegrityError

from webmacs.core.db import transaction
from webmacs.core.errors import NotOffered, Rejected
from webmacs.core.identity import Actor
from webmacs.features.accounts import operations as accounts
from webmacs.features.sso import decide, operations
from webmacs.features.sso.schemas import Flow, OfferOut, Ticket, Visitor
from webmacs.gateways.oidc import LOGOUT_AGE, Client, Clients
from webmacs.gateways.onetime import AwayError, OneTime
from webmacs.gateways.sealing import sealer
from webmacs.gateways.signing import fingerprint
from webmacs.providers import DEFAULT, IdentityProvider

FLOW = timedelta(minutes=10)  # that somebody may take to sign in at the provider
TICKET = timedelta(seconds=60)  # that a one-time code counts
AUTHORIZE = "/api/v1/auth/sso/authorize"
LINKED = "/profile/sso"
BAD_STATE = "The state of this sign-in is not valid (any more). Begin again at the sign-in page."
BAD_CODE = "Invalid or expired code."


def clients() -> Clients:
    """The identity providers of this installation."""
    installed: Clients = current_app.extensions["webmacs.oidc"]
    return installed


def client(key: str) -> Client:
    """The provider with this key. Raises `NotOffered`."""
    found = clients().get(key)
    if found is None:
        raise NotOffered("SSO is not enabled.")
    return found


def offers(target: str = "/") -> list[OfferOut]:
    """The providers that people may sign in with, each with the address of its button."""
    found = []
    for known in (one.provider for one in clients().enabled()):
        asked = {"provider": known.key} if known.key != DEFAULT else {}
        onward = {"next": target} if target != "/" else {}
        url = f"{AUTHORIZE}?{urlencode(asked | onward)}".rstrip("?")
        found.append(OfferOut(key=known.key, provider_name=known.provider_name, authorize_url=url))
    return found


def link_url(provider: IdentityProvider) -> str:
    """Where the browser goes on to link an identity; what it carries says that this was confirmed."""
    return f"{AUTHORIZE}?{urlencode({'provider': provider.key, 'next': LINKED})}"


def begin(provider: Client, target: str, links: str | None = None) -> tuple[str, Flow]:
    """Where the browser goes to sign in, and what it carries meanwhile."""
    flow = Flow(
        provider=provider.provider.key,
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(64),
        next=target,
        links=links,
    )
    return provider.authorization_url(flow.state, flow.nonce, flow.verifier), flow


def identify(provider: Client, flow: Flow | None, state: str, code: str, issuer: str) -> Visitor:
    """Who came back from the provider with this state and code. Raises `Rejected` and `Upstream`."""
    provider.check()
    if flow is None or flow.provider != provider.provider.key or not _same(flow.state, state):
        raise Rejected(BAD_STATE)
    if not _put("state", state, "used", FLOW):
        raise Rejected(BAD_STATE)
    if issuer and issuer != provider.issuer:  # RFC 9207: the answer is another provider's
        raise Rejected(BAD_STATE)
    tokens = provider.exchange(code, flow.verifier, flow.nonce)
    userinfo = provider.userinfo(tokens.access_token, tokens.claims["sub"])
    address = decide.address(tokens.claims, userinfo)
    claims = tokens.claims | userinfo
    name = claims.get("preferred_username") or claims.get("name")
    sid = tokens.claims.get("sid")
    return Visitor(
        provider=provider.provider,
        issuer=provider.issuer,
        subject=tokens.claims["sub"],
        email=address.email,
        is_verified=address.is_verified,
        name=name if isinstance(name, str) else None,
        claims=claims,
        sid=sid if isinstance(sid, str) and len(sid) <= 255 else None,
        id_token=tokens.id_token,
    )


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def admit(visitor: Visitor) -> str:
    """Let a visitor in, as far as the rules do; returns the one-time code for it."""
    try:
        ticket = _admitted(visitor)
    except IntegrityError:  # the same person came twice at the same moment, and the other one was made first
        ticket = _admitted(visitor)
    code = secrets.token_urlsafe(48)
    _put("code", code, sealer.seal_parcel(ticket.model_dump(), "sso ticket", TICKET.total_seconds()), TICKET)
    return code


def _admitted(visitor: Visitor) -> Ticket:
    with transaction():
        return operations.ticket(operations.admit(visitor), visitor)


def exchange(code: str, device: str, lifetime: timedelta) -> str:
    """Exchange a one-time code for a JWT. Raises `Rejected`."""
    ticket = _ticket(code)
    with transaction():
        return accounts.access_token(operations.redeem(ticket, "jwt", device, lifetime))


def land(code: str, device: str, lifetime: timedelta) -> str:
    """Exchange a one-time code for the login of a browser; returns its public id. Raises `Rejected`."""
    ticket = _ticket(code)
    with transaction():
        return operations.redeem(ticket, "browser", device, lifetime).public_id


def _ticket(code: str) -> Ticket:
    sealed = _take("code", code)
    content = None if sealed is None else sealer.open_parcel(sealed, "sso ticket")
    if content is None:
        raise Rejected(BAD_CODE)
    return Ticket.model_validate(content)


def link(actor: Actor, visitor: Visitor) -> None:
    """Link an identity to the asker's own account."""
    with transaction():
        operations.link(actor, visitor)


def end(provider: Client, logout_token: str) -> None:
    """End the logins that the provider says are over. Raises `Rejected` for a token that does not count."""
    told = provider.logout(logout_token)
    if not _put("jti", f"{told.issuer} {told.jti}", "used", timedelta(seconds=3 * LOGOUT_AGE)):
        raise Rejected("The logout token is refused, it was used before.")
    with transaction():
        operations.end(told.issuer, told.subject, told.sid)


def farewell(actor: Actor) -> tuple[Client, str] | None:
    """End the login in use; returns the provider to which the browser may say goodbye, and the ID token for it."""
    with transaction():
        elsewhere = operations.sign_out(actor)
    if elsewhere is None:
        return None
    provider, id_token = (
        clients().get(elsewhere.provider_key),
        sealer.open(elsewhere.id_token, f"id token of {elsewhere.login_id}"),
    )
    return None if provider is None or id_token is None else (provider, id_token)


def tidy() -> None:
    """Delete what nobody took in time."""
    with transaction():
        operations.forget_put_aside()


def _one_time() -> OneTime:
    installed: OneTime = current_app.extensions["webmacs.onetime"]
    return installed


def _put(kind: str, secret: str, content: str, lifetime: timedelta) -> bool:
    key = fingerprint(f"{kind} {secret}")
    try:
        return _one_time().put(key, content, lifetime)
    except AwayError:
        with transaction():
            return operations.put_aside(key, content, lifetime)


def _take(kind: str, secret: str) -> str | None:
    key = fingerprint(f"{kind} {secret}")
    found = None
    with suppress(AwayError):
        found = _one_time().take(key)
    if found is None:  # Redis may have been away when it was put aside
        with transaction():
            found = operations.take_back(key)
    return found
