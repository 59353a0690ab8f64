"""Talks OpenID Connect with identity providers. Every failure of theirs is an `Upstream` that names the step."""

import json
import logging
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import httpx
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.client import OAuth2Client
from authlib.oauth2.rfc6749.parameters import prepare_token_request
from authlib.oidc.core import CodeIDToken
from joserfc import jws
from joserfc.errors import InvalidClaimError, JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key

from webmacs.core.errors import Misconfigured, Rejected, Upstream
from webmacs.providers import IdentityProvider

log = logging.getLogger(__name__)

TIMEOUT = 10.0  # seconds for one whole answer
LARGEST = 1 << 20  # bytes of one answer
KEEP = 3600.0  # seconds that discovery document and keys are relied on
REFETCH = 60.0  # seconds between two looks for a key that we do not know
LEEWAY = 60  # seconds that two clocks may differ
LOGOUT_AGE = 600  # seconds after its issue that a logout token counts
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
FORM = "application/x-www-form-urlencoded"


class Tokens(NamedTuple):
    """What the exchange of a code brought."""

    id_token: str
    claims: dict[str, Any]  # of the ID token, verified
    access_token: str


@dataclass(frozen=True)
class Logout:
    """A verified logout token: whose logins end."""

    issuer: str
    subject: str | None
    sid: str | None
    jti: str


class Kept(NamedTuple):
    """Something fetched, and when by the monotonic clock."""

    value: Any
    since: float


class Client:
    """We, as the client of one provider. Thread-safe."""

    def __init__(
        self, provider: IdentityProvider, now: Callable[[], float] = time.monotonic, timeout: float = TIMEOUT
    ) -> None:
        self.provider = provider
        self._now = now
        self._timeout = timeout
        self._documents: dict[str, Kept] = {}
        self._locks = {"discovery": threading.Lock(), "keys": threading.Lock()}
        self._looked_again = now() - REFETCH

    @cached_property
    def _http(self) -> httpx.Client:
        return httpx.Client(timeout=self._timeout, headers={"Accept": "application/json"}, verify=_trust())

    # --- what the provider says about itself ---------------------------------------------------------------------

    def check(self) -> None:
        """Raise `Misconfigured` when the settings do not suffice."""
        missing = next((name for name in ("issuer_url", "client_id") if not getattr(self.provider, name)), None)
        if missing is not None:
            raise Misconfigured(f"Single sign-on is not set up completely: OIDC_{missing.upper()} is missing.")

    def metadata(self) -> dict[str, Any]:
        """The discovery document, at most an hour old. Raises `Misconfigured` and `Upstream`."""
        self.check()
        url = f"{self.provider.issuer_url}/.well-known/openid-configuration"
        found: dict[str, Any] = self._kept("discovery", lambda: self._discovered(url))
        return found

    @property
    def issuer(self) -> str:
        """How the provider calls itself, in the very letters."""
        return str(self.metadata()["issuer"])

    def _discovered(self, url: str) -> dict[str, Any]:
        found = self._json("discovery", "GET", url)
        if str(found.get("issuer", "")).rstrip("/") != self.provider.issuer_url:
            raise self._failed("discovery", f"it is of another issuer, {found.get('issuer')!r}")
        return found

    def endpoint(self, name: str, step: str) -> str:
        """An address of the discovery document. Raises `Upstream` when it is absent or weaker than the issuer's."""
        url = self.metadata().get(name)
        if not isinstance(url, str) or urlsplit(url).scheme not in ("https", urlsplit(self.provider.issuer_url).scheme):
            raise self._failed(step, f"the discovery document names no usable {name}")
        return url

    def end_session_url(self) -> str | None:
        """Where a browser signs out there, None when the provider has no such place."""
        return self.endpoint("end_session_endpoint", "discovery") if "end_session_endpoint" in self.metadata() else None

    def _keys(self, *, anew: bool = False) -> list[Key]:
        """The provider's keys; `anew` looks again when nobody did within the last minute."""
        if anew and self._now() - self._looked_again >= REFETCH:
            self._looked_again = self._now()
            self._documents.pop("keys", None)
        keys: list[Key] = self._kept("keys", self._fetched_keys)
        return keys

    def _fetched_keys(self) -> list[Key]:
        listed = self._json("keys", "GET", self.endpoint("jwks_uri", "keys")).get("keys")
        return [key for key in map(_key, listed if isinstance(listed, list) else []) if key is not None]

    def _kept(self, what: str, fetch: Callable[[], Any]) -> Any:
        with self._locks[what]:  # one asks, the others wait for what it hears
            known = self._documents.get(what)
            if known is None or self._now() - known.since >= KEEP:
                known = self._documents[what] = Kept(fetch(), self._now())
            return known.value

    # --- the flow --------------------------------------------------------------------------------------------------

    def authorization_url(self, state: str, nonce: str, verifier: str) -> str:
        """Where the browser goes to sign in."""
        asked = OAuth2Client(
            None,
            self.provider.client_id,
            scope=self.provider.scopes,
            redirect_uri=self.provider.redirect_uri,
            code_challenge_method="S256",
        )
        url, _ = asked.create_authorization_url(
            self.endpoint("authorization_endpoint", "discovery"), state, verifier, nonce=nonce
        )
        return str(url)

    def exchange(self, code: str, verifier: str, nonce: str) -> Tokens:
        """Exchange the code; the ID token that comes for it is verified.

        Raises `Upstream` for what the provider does wrong, `Rejected` for an ID token without a subject.
        """
        url = self.endpoint("token_endpoint", "exchange")
        body = prepare_token_request(
            "authorization_code", redirect_uri=self.provider.redirect_uri, code=code, code_verifier=verifier
        )
        _, headers, body = self._authentication().prepare("POST", url, {"Content-Type": FORM}, body)
        answer = self._json("exchange", "POST", url, headers=headers, content=body)
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise self._failed("exchange", "the answer has no ID token or no access token")
        header, claims = self._verified(id_token, "exchange")
        if not _is_subject(claims.get("sub")):
            raise Rejected("The identity provider did not name the subject.")
        expected = {"iss": self.issuer, "aud": self.provider.client_id}
        checked = CodeIDToken(
            claims,
            header,
            {name: {"essential": True, "value": value} for name, value in expected.items()},
            {"nonce": nonce, "client_id": self.provider.client_id, "access_token": access_token},
        )
        try:
            checked.validate(leeway=LEEWAY)
        except (JoseError, ValueError, TypeError) as refused:
            raise self._failed("exchange", f"the ID token is refused, {_reason(refused)}") from None
        return Tokens(id_token, claims, access_token)

    def userinfo(self, access_token: str, subject: str) -> dict[str, Any]:
        """What the provider tells about the user, who must be the one of the ID token."""
        url = self.endpoint("userinfo_endpoint", "userinfo")
        found = self._json("userinfo", "GET", url, headers={"Authorization": f"Bearer {access_token}"})
        if not _is_subject(found.get("sub")):
            raise Rejected("The identity provider did not name the subject.")
        if found["sub"] != subject:
            raise self._failed("userinfo", "it is about another subject than the ID token")
        return found

    def logout(self, token: str) -> Logout:
        """Verify a logout token. Raises `Rejected` (OpenID Connect Back-Channel Logout 1.0, section 2.6)."""
        try:
            header, claims = self._verified(token, "logout")
            expected = {"iss": self.issuer, "aud": self.provider.client_id}
            options = {name: {"essential": True, "value": value} for name, value in expected.items()}
            checked = CodeIDToken({"sub": "", "exp": time.time() + LEEWAY} | claims, header, options)
            checked.validate(leeway=LEEWAY)
            _check_logout(claims)
        except (JoseError, ValueError, TypeError) as refused:
            raise Rejected(f"The logout token is refused, {_reason(refused)}.") from None
        return Logout(claims["iss"], claims.get("sub"), claims.get("sid"), claims["jti"])

    def _authentication(self) -> ClientAuth:
        offered = self.metadata().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        ident, secret = self.provider.client_id, self.provider.client_secret
        if not secret:
            return ClientAuth(ident, secret, "none")
        if "client_secret_basic" in offered or "client_secret_post" not in offered:
            # encoded first, as RFC 6749, section 2.3.1, asks
            return ClientAuth(quote(ident, safe=""), quote(secret, safe=""), "client_secret_basic")
        return ClientAuth(ident, secret, "client_secret_post")

    # --- signatures ------------------------------------------------------------------------------------------------

    def _verified(self, token: str, step: str) -> tuple[Mapping[str, Any], dict[str, Any]]:
        """Header and claims of a token that one of the provider's keys signed."""
        try:
            header = jws.extract_compact(token.encode()).headers()
            if header.get("alg") not in self.provider.allowed_algorithms.split():
                raise InvalidClaimError("alg")
            kid = header.get("kid")
            content = _opened(token, header["alg"], _named(self._keys(), kid))
            if content is None:  # the provider may have changed its keys since
                content = _opened(token, header["alg"], _named(self._keys(anew=True), kid))
            claims = json.loads(content) if content is not None else None
        except (JoseError, ValueError) as refused:
            raise self._distrusted(step, _reason(refused)) from None
        if not isinstance(claims, dict):
            raise self._distrusted(step, "no key of the provider fits its signature")
        return header, claims

    def _distrusted(self, step: str, why: str) -> Exception:
        return Rejected(f"The logout token is refused, {why}.") if step == "logout" else self._failed(step, why)

    # --- the wire --------------------------------------------------------------------------------------------------

    def _json(self, step: str, method: str, url: str, **others: Any) -> dict[str, Any]:
        """The JSON object that an address answers with 200; never redirected, within a time and a size."""
        deadline, body = time.monotonic() + self._timeout, b""
        try:
            with self._http.stream(method, url, **others) as answer:
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > LARGEST or time.monotonic() > deadline:
                        raise self._failed(step, "the answer is too long or too slow")
            if answer.status_code != 200:
                raise self._failed(step, f"the answer was {answer.status_code}")
            found = json.loads(body)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise self._failed(step, type(error).__name__) from None
        if not isinstance(found, dict):
            raise self._failed(step, "the answer is no JSON object")
        return found

    def _failed(self, step: str, why: str) -> Upstream:
        """The refusal that names the step; the reason goes to the server's log, which has no secrets of the flow."""
        log.warning("identity provider %s: %s failed: %s", self.provider.key, step, why)
        return Upstream(SENTENCES[step])


SENTENCES = {
    "discovery": "The identity provider cannot be reached: its discovery document could not be read.",
    "keys": "The exchange with the identity provider failed: its keys could not be read.",
    "exchange": "The exchange of the code with the identity provider failed.",
    "userinfo": "The identity provider's userinfo could not be read.",
}


class Clients:
    """All providers of the installation by their keys, the default first; `landing` is where browsers land at last."""

    def __init__(self, providers: Sequence[IdentityProvider], landing: str) -> None:
        self._clients = {provider.key: Client(provider) for provider in providers}
        self.landing = landing

    def enabled(self) -> list[Client]:
        """Those that people may sign in with."""
        return [client for client in self._clients.values() if client.provider.enabled]

    def of_issuer(self, issuer: object) -> Client | None:
        """The enabled provider that may call itself so."""
        fits = (client for client in self.enabled() if client.provider.issuer_url == str(issuer).rstrip("/"))
        return next(fits, None)

    def get(self, key: str) -> Client | None:
        """The enabled provider with this key."""
        client = self._clients.get(key)
        return client if client is not None and client.provider.enabled else None


@cache
def _trust() -> ssl.SSLContext:
    """Whose certificates are believed; slow to read, and the same for all."""
    return httpx.create_ssl_context()


def issuer_of(token: str) -> object:
    """Who is said to have issued a token; nothing of it is verified yet."""
    try:
        return json.loads(jws.extract_compact(token.encode()).payload or b"{}").get("iss")
    except (JoseError, ValueError, AttributeError):
        return None


def _key(document: Any) -> Key | None:
    """A public key that may sign; None for what we cannot use, such as a key for encryption."""
    try:
        key = import_key(document)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    usable = isinstance(key, RSAKey | ECKey | OKPKey) and document.get("use", "sig") == "sig"
    return key if usable else None


def _named(keys: Sequence[Key], kid: object) -> list[Key]:
    return [key for key in keys if kid is None or key.kid == kid]


def _opened(token: str, algorithm: str, keys: Sequence[Key]) -> bytes | None:
    """The payload, when one of the keys made the signature."""
    for key in keys:
        try:
            return jws.deserialize_compact(token, key, algorithms=[algorithm]).payload
        except (JoseError, ValueError):
            continue
    return None


def _is_subject(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 255


def _check_logout(claims: Mapping[str, Any]) -> None:
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise InvalidClaimError("events")
    if "nonce" in claims:
        raise InvalidClaimError("nonce")
    if claims["iat"] < time.time() - LOGOUT_AGE:
        raise InvalidClaimError("iat")
    for name in ("sub", "sid", "jti"):
        if name in claims and not _is_subject(claims[name]):
            raise InvalidClaimError(name)
    if "jti" not in claims or not ("sub" in claims or "sid" in claims):
        raise InvalidClaimError("jti" if "jti" not in claims else "sub")


def _reason(error: Exception) -> str:
    """Which rule was broken, without a value of the token."""
    name = getattr(error, "claim", None) or getattr(error, "error", None) or type(error).__name__
    return str(name)
