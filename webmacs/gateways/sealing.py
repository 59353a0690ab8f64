"""Secrets that are kept: encrypted when they must be read again, as keyed marks when they only have to be recognised.

The keys are derived from SECRET_KEY once by the factory and never leave this module.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE = 12  # bytes, as AES-GCM wants it


class Sealer:
    """Encrypts with AES-256-GCM and marks with HMAC-SHA256, each with a key of its own."""

    def __init__(self) -> None:
        self._cipher: AESGCM | None = None
        self._marking = b""

    def use(self, secret_key: str) -> None:
        """Install the installation's secret."""
        self._cipher = AESGCM(hmac.digest(secret_key.encode(), b"webmacs sealed secret", hashlib.sha256))
        self._marking = hmac.digest(secret_key.encode(), b"webmacs marked secret", hashlib.sha256)

    def _installed(self) -> AESGCM:
        if self._cipher is None:
            raise RuntimeError("no sealing key is installed")
        return self._cipher

    def seal(self, secret: str, about: str) -> str:
        """Encrypt a secret; it opens only for the same `about`, so that a row's secret cannot serve another row."""
        nonce = secrets.token_bytes(NONCE)
        return base64.urlsafe_b64encode(
            nonce + self._installed().encrypt(nonce, secret.encode(), about.encode())
        ).decode()

    def open(self, sealed: str, about: str) -> str | None:
        """The secret, None when it was sealed with another key or about something else."""
        raw = base64.urlsafe_b64decode(sealed)
        try:
            return self._installed().decrypt(raw[:NONCE], raw[NONCE:], about.encode()).decode()
        except InvalidTag:
            return None

    def seal_parcel(self, content: dict[str, Any], about: str, seconds: float) -> str:
        """Encrypt something that others carry for us; it opens for `seconds`."""
        return self.seal(json.dumps({"until": time.time() + seconds, "content": content}), f"parcel {about}")

    def open_parcel(self, sealed: str, about: str) -> dict[str, Any] | None:
        """What was sealed about the same and has not expired, None for whatever else somebody brings."""
        try:
            text = self.open(sealed, f"parcel {about}")
        except ValueError:
            return None
        document = None if text is None else json.loads(text)
        return document["content"] if document is not None and document["until"] > time.time() else None

    def mark(self, secret: str, about: str) -> str:
        """What is kept of a short secret, as hex: nothing to guess from for whoever has the database alone."""
        self._installed()
        return hmac.new(self._marking, f"{about}\0{secret}".encode(), hashlib.sha256).hexdigest()


sealer = Sealer()
