"""Signed tokens and password hashes. The key is installed once by the factory and never leaves this module."""

import hashlib
import hmac
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

ISSUER = "webmacs"

# 19 MiB, two passes: the OWASP minimum for argon2id; about 25 ms on a small computer
_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
_nobody = _hasher.hash("no password has this hash")


class Signer:
    """Signs and reads JSON Web Tokens with a key derived from SECRET_KEY."""

    def __init__(self) -> None:
        self._key: OctKey | None = None

    def use(self, secret_key: str) -> None:
        """Install the installation's secret."""
        self._key = OctKey.import_key(hmac.new(secret_key.encode(), b"webmacs access token", hashlib.sha256).digest())

    def _installed(self) -> OctKey:
        if self._key is None:
            raise RuntimeError("no signing key is installed")
        return self._key

    def sign(self, claims: dict[str, Any]) -> str:
        """A compact HS256 token."""
        return jwt.encode({"alg": "HS256", "typ": "JWT"}, {"iss": ISSUER, **claims}, self._installed())

    def read(self, token: str) -> dict[str, Any] | None:
        """The claims of a token of ours that has not expired, else None."""
        try:
            claims = jwt.decode(token, self._installed(), algorithms=["HS256"]).claims
            jwt.JWTClaimsRegistry(iss={"essential": True, "value": ISSUER}, exp={"essential": True}).validate(claims)
        except (JoseError, ValueError):
            return None
        return dict(claims)


signer = Signer()


def hash_password(password: str) -> str:
    """An argon2id hash with its own salt."""
    return _hasher.hash(password)


def verify_password(password: str, password_hash: str | None) -> bool:
    """Whether the password fits. Without a hash the same work is done, so that time tells nothing about accounts."""
    try:
        return _hasher.verify(password_hash or _nobody, password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(password_hash: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


def fingerprint(secret: str) -> str:
    """What we keep of a random secret (API token, claim code): its SHA-256 as hex."""
    return hashlib.sha256(secret.encode()).hexdigest()
