"""Signed tokens, seals and password hashes. The keys are installed once by the factory and never leave this module."""

import hashlib
import hmac
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from webmacs.core.errors import Unavailable

ISSUER = "webmacs"
PLACES = 12  # passwords that are computed or wait for it: fewer than there are threads, so that others go on

# 19 MiB, two passes: the OWASP minimum for argon2id; about 25 ms on a small computer
_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
_nobody = _hasher.hash("no password has this hash")

_places = threading.BoundedSemaphore(PLACES)
_computing = threading.BoundedSemaphore(max(2, os.cpu_count() or 1))  # each takes 19 MiB and a processor


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


class Notary:
    """Seals the audit trail with a key derived from SECRET_KEY: who cannot read that one cannot forge a seal."""

    def __init__(self) -> None:
        self._key: bytes | None = None

    def use(self, secret_key: str) -> None:
        """Install the installation's secret."""
        self._key = hmac.new(secret_key.encode(), b"webmacs audit trail", hashlib.sha256).digest()

    def seal(self, text: str) -> str:
        """The HMAC-SHA256 of a text, as 64 hexadecimal digits."""
        if self._key is None:
            raise RuntimeError("no sealing key is installed")
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()


notary = Notary()


@contextmanager
def _in_turn() -> Iterator[None]:
    """A place among those who compute. Raises `Unavailable` when too many wait for one: a flood ends here."""
    if not _places.acquire(blocking=False):
        raise Unavailable("Too many people are signing in at the moment. Try again in a few seconds.")
    try:
        with _computing:
            yield
    finally:
        _places.release()


def hash_password(password: str) -> str:
    """An argon2id hash with its own salt. Raises `Unavailable` when too many are computed already."""
    with _in_turn():
        return _hasher.hash(password)


def verify_password(password: str, password_hash: str | None) -> bool:
    """Whether the password fits. Without a hash the same work is done, so that time tells nothing about accounts.

    Raises `Unavailable` when too many are computed already.
    """
    try:
        with _in_turn():
            return _hasher.verify(password_hash or _nobody, password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(password_hash: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


def fingerprint(secret: str) -> str:
    """What we keep of a random secret (API token, claim code): its SHA-256 as hex."""
    return hashlib.sha256(secret.encode()).hexdigest()
