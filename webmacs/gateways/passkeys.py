"""Passkeys (WebAuthn): what the browser is asked, and whether its answer is right. No attestation is asked for."""

import ipaddress
import json
import logging
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

# `webauthn` is imported where it is used: it takes 7 MB, and most processes never see a passkey

NAME = "WebMACS"
PATIENCE = 120_000  # milliseconds that the browser waits for its user

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Site:
    """The address at which people reach us; a passkey belongs to its host name."""

    address: str

    @cached_property
    def rp_id(self) -> str:
        """The host name."""
        return (urlsplit(self.address).hostname or "").lower()

    @property
    def origins(self) -> list[str]:
        """What a browser may call this site. It offers passkeys on https and on localhost only: no check is lost."""
        place = urlsplit(self.address).netloc.lower()
        return [f"https://{place}", f"http://{place}"]

    @property
    def has_name(self) -> bool:
        """Whether browsers allow passkeys for it: an address of numbers is no name."""
        try:
            ipaddress.ip_address(self.rp_id)
        except ValueError:
            return bool(self.rp_id)
        return False


@dataclass(frozen=True)
class Registered:
    """A new passkey; all but the counter is base64url."""

    credential_id: str
    public_key: str
    sign_count: int


def creation_options(site: Site, challenge: str, user: tuple[str, str], present: list[str]) -> str:
    """What to ask the browser for a new passkey, as JSON. `user` is (opaque id, shown name), `present` their others."""
    from webauthn import base64url_to_bytes, generate_registration_options, options_to_json
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        PublicKeyCredentialDescriptor,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    options = generate_registration_options(
        rp_id=site.rp_id,
        rp_name=NAME,
        user_id=user[0].encode(),
        user_name=user[1],
        challenge=base64url_to_bytes(challenge),
        timeout=PATIENCE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.PREFERRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in present],
    )
    return options_to_json(options)


def request_options(site: Site, challenge: str, allowed: list[str]) -> str:
    """What to ask the browser to prove a passkey, as JSON. Nothing `allowed` means passwordless: any passkey of the
    site whose device checks its user.
    """
    from webauthn import base64url_to_bytes, generate_authentication_options, options_to_json
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor, UserVerificationRequirement

    options = generate_authentication_options(
        rp_id=site.rp_id,
        challenge=base64url_to_bytes(challenge),
        timeout=PATIENCE,
        allow_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in allowed],
        user_verification=UserVerificationRequirement.PREFERRED if allowed else UserVerificationRequirement.REQUIRED,
    )
    return options_to_json(options)


def register(answer: str, site: Site, challenge: str) -> Registered | None:
    """The new passkey that the browser's answer carries, None when the answer is not right."""
    from webauthn import base64url_to_bytes, verify_registration_response
    from webauthn.helpers import bytes_to_base64url

    try:
        found = verify_registration_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=site.rp_id,
            expected_origin=site.origins,
        )
    except Exception as refused:  # noqa: BLE001 - made to be hostile, an answer may break any of the parsers
        log.info("a new passkey was refused: %s", refused)
        return None
    return Registered(
        bytes_to_base64url(found.credential_id), bytes_to_base64url(found.credential_public_key), found.sign_count
    )


def credential_id(answer: str) -> str:
    """Which passkey the browser's answer claims to be; empty when it says nothing readable."""
    try:
        document: Any = json.loads(answer)
    except (ValueError, RecursionError):
        return ""
    claimed = document.get("id") if isinstance(document, dict) else None
    return claimed if isinstance(claimed, str) else ""


def prove(answer: str, site: Site, challenge: str, known: Registered, *, alone: bool) -> int | None:
    """Check the answer of a known passkey: its new counter, or None when the answer is not right.

    `alone` is passwordless: the device must have checked its user. A counter that does not rise is refused: the
    passkey may have been copied.
    """
    from webauthn import base64url_to_bytes, verify_authentication_response

    try:
        found = verify_authentication_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=site.rp_id,
            expected_origin=site.origins,
            credential_public_key=base64url_to_bytes(known.public_key),
            credential_current_sign_count=known.sign_count,
            require_user_verification=alone,
        )
    except Exception as refused:  # noqa: BLE001 - as above
        log.warning("a passkey was refused: %s", refused)
        return None
    return found.new_sign_count
