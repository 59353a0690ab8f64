"""An identity provider in a process of its own: strict with its clients, and as wicked as a test tells it to be.

`PUT /wish` says how it behaves from then on (an empty wish: honestly); see `Wish`. The tests read what was asked of it
at `GET /asked`, and let it sign tokens by `POST /sign`.
"""

import base64
import hashlib
import hmac
import json
import secrets
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "webmacs", "a secret: with signs/of all%kinds"


@dataclass
class Wish:
    """What differs from honesty. In `claims` and `userinfo`, None takes a claim away."""

    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)  # path → status of its answer
    delay: dict[str, float] = field(default_factory=dict)  # path → seconds before its answer
    body: dict[str, str] = field(default_factory=dict)  # path → its answer
    signs: str = "RS256"  # or none, HS256 (with the public key as the secret), stranger (a key that nobody knows)
    kid: bool = True
    error: str = ""  # what the authorization endpoint answers instead of a code
    iss: str = ""  # the parameter of the authorization answer


class State:
    """Everything that it remembers."""

    def __init__(self) -> None:
        self.wish = Wish()
        self.asked: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens: set[str] = set()
        self.lock = threading.Lock()
        self.strange = [RSAKey.generate_key(2048, {"use": "enc"}).as_dict(private=False), {"kty": "unknown"}]
        self.rotate()

    def rotate(self) -> None:
        """Another key, and the old one is not told any more."""
        self.key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig"})


class Provider(BaseHTTPRequestHandler):
    """One request."""

    state: State
    issuer: str
    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PUT(self) -> None:
        self._serve("PUT")

    def _serve(self, method: str) -> None:
        parts = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        self.raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        wish = self.state.wish
        if parts.path not in ("/wish", "/asked", "/sign", "/rotate"):
            with self.state.lock:
                self.state.asked.append(parts.path)
            time.sleep(wish.delay.get(parts.path, 0))
            if parts.path in wish.status or parts.path in wish.body:
                self._answer(wish.body.get(parts.path, "{}"), wish.status.get(parts.path, 200))
                return
        name = parts.path.strip("/").replace("/", "_").replace(".", "").replace("-", "_")
        getattr(self, f"_{method.lower()}_{name}", self._nothing)()

    def _answer(self, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for header, value in (
            {"Content-Type": "application/json", "Content-Length": str(len(data))} | (headers or {})
        ).items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(data)

    def _nothing(self) -> None:
        self._answer({"error": "not_found"}, 404)

    # --- for the tests ----------------------------------------------------------------------------------------------

    def _put_wish(self) -> None:
        self.state.wish = Wish(**json.loads(self.raw or "{}"))
        self.state.asked.clear()
        self._answer({})

    def _get_asked(self) -> None:
        self._answer(self.state.asked)

    def _post_rotate(self) -> None:
        self.state.rotate()
        self._answer({})

    def _post_sign(self) -> None:
        wished = json.loads(self.raw)
        self._answer({"token": self._signed(wished["claims"], wished.get("signs", "RS256"))})

    # --- the protocol -----------------------------------------------------------------------------------------------

    def _get_well_known_openid_configuration(self) -> None:
        metadata = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/logout",
        }
        self._answer(
            {name: value for name, value in (metadata | self.state.wish.metadata).items() if value is not None}
        )

    def _get_keys(self) -> None:
        self._answer({"keys": [*self.state.strange, self.state.key.as_dict(private=False)]})

    def _get_authorize(self) -> None:
        asked, wish = self.query, self.state.wish
        expected = {"response_type": "code", "client_id": CLIENT, "code_challenge_method": "S256"}
        strict = all(asked.get(name) == value for name, value in expected.items())
        if not strict or not all(asked.get(name) for name in ("redirect_uri", "state", "nonce", "code_challenge")):
            self._answer({"error": "invalid_request"}, 400)
            return
        if wish.error:
            back = {"error": wish.error, "error_description": "<b>what the provider says</b>", "state": asked["state"]}
        else:
            code = secrets.token_urlsafe(16)
            self.state.codes[code] = asked
            back = {"code": code, "state": asked["state"]} | ({"iss": wish.iss} if wish.iss else {})
        mark = "&" if "?" in asked["redirect_uri"] else "?"
        self._answer("", 302, {"Location": f"{asked['redirect_uri']}{mark}{urlencode(back)}"})

    def _post_token(self) -> None:
        given = {name: values[0] for name, values in parse_qs(self.raw.decode()).items()}
        asked = self.state.codes.pop(given.get("code", ""), None)
        basic = base64.b64encode(f"{quote(CLIENT, safe='')}:{quote(SECRET, safe='')}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {basic}":
            self._answer({"error": "invalid_client"}, 401)
            return
        challenge = _urlsafe(hashlib.sha256(given.get("code_verifier", "").encode()).digest())
        if (
            asked is None
            or given.get("grant_type") != "authorization_code"
            or given.get("redirect_uri") != asked["redirect_uri"]
            or challenge != asked["code_challenge"]
        ):
            self._answer({"error": "invalid_grant"}, 400)
            return
        access_token = secrets.token_urlsafe(24)
        self.state.tokens.add(access_token)
        now = int(time.time())
        half = hashlib.sha256(access_token.encode()).digest()[:16]
        claims = {"iss": self.issuer, "sub": "4711", "aud": CLIENT, "iat": now, "exp": now + 300, "sid": "s1"}
        claims |= {"nonce": asked["nonce"], "at_hash": _urlsafe(half)} | self.state.wish.claims
        token = self._signed(
            {name: value for name, value in claims.items() if value is not None}, self.state.wish.signs
        )
        self._answer({"access_token": access_token, "token_type": "Bearer", "id_token": token, "expires_in": 300})

    def _get_userinfo(self) -> None:
        if self.headers.get("Authorization", "").removeprefix("Bearer ") not in self.state.tokens:
            self._answer({"error": "invalid_token"}, 401)
            return
        claims = {"sub": "4711", "email": "grace@lab.example", "email_verified": True, "preferred_username": "grace"}
        claims |= self.state.wish.userinfo
        self._answer({name: value for name, value in claims.items() if value is not None})

    def _signed(self, claims: dict[str, Any], how: str) -> str:
        key = self.state.key
        header: dict[str, Any] = {"alg": "RS256"} | ({"kid": key.kid} if self.state.wish.kid else {})
        if how == "none":
            head, body = (_urlsafe(json.dumps(part).encode()) for part in (header | {"alg": "none"}, claims))
            return f"{head}.{body}."
        if how == "HS256":
            signed = ".".join(_urlsafe(json.dumps(part).encode()) for part in (header | {"alg": "HS256"}, claims))
            return f"{signed}.{_urlsafe(hmac.digest(key.as_pem(private=False), signed.encode(), 'sha256'))}"
        if how == "stranger":
            key = RSAKey.generate_key(2048, {"kid": key.kid})
        return jwt.encode(header, claims, key)


def _urlsafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def main() -> None:
    """Serve on a free port, which is printed."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.daemon_threads = True
    Provider.state = State()
    Provider.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    print(Provider.issuer, flush=True)  # noqa: T201 - how the tests learn of it
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
