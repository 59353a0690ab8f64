"""Codes: which one fits, how they are written, and the picture that an authenticator app reads."""

import hmac
import re
from datetime import datetime

import pyotp

from webmacs.features.factors.schemas import Way

ISSUER = "WebMACS"
SECONDS = 30  # that a code of an authenticator app is shown
LOOKALIKES = str.maketrans("oil", "011")  # letters that no recovery code has
DRIFT = 1  # codes before and after the present one that count: clocks differ, people type slowly


def fitting_step(secret: str, code: str, moment: datetime, spent: int) -> int | None:
    """The time step whose code this is; None when it fits none, or only one that is spent (not after `spent`)."""
    present = int(moment.timestamp()) // SECONDS
    app = pyotp.TOTP(secret, interval=SECONDS)
    steps = range(max(present - DRIFT, spent + 1), present + DRIFT + 1)
    return next((step for step in steps if hmac.compare_digest(app.generate_otp(step), code)), None)


def as_typed(code: str) -> str:
    """A code as it was meant: without spaces, hyphens and capitals, and with the digits that look like letters."""
    return re.sub(r"[\s-]", "", code).lower().translate(LOOKALIKES)


def is_app_code(code: str) -> bool:
    """Whether it looks like a code of an authenticator app, not like a recovery code."""
    return re.fullmatch(r"[0-9]{6}", code) is not None


def what_is_missing(ways: tuple[Way, ...], *, was_given: bool) -> str:
    """The sentence for a client that has sent the right password and not enough, or a wrong code."""
    if ways == (Way.PASSKEY,):
        return "The second factor is a passkey: sign in with a browser, or use an API token."
    if was_given:
        return "This code is not right, or was used already."
    return "A second factor is needed: send a code of the authenticator app, or a recovery code, as `code`."


def grouped(text: str) -> str:
    """Groups of four, for people who copy by hand."""
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def enrolment_link(secret: str, name: str) -> str:
    """What the authenticator app reads from the picture."""
    return pyotp.TOTP(secret, interval=SECONDS).provisioning_uri(name=name, issuer_name=ISSUER)


def picture(link: str) -> str:
    """The link as a QR code: an SVG element without styles, dark on light in every theme because cameras need that."""
    import segno  # only here: few pages ever draw one

    return str(segno.make(link, error="m", micro=False).svg_inline(scale=5, dark="#000", light="#fff", svgclass="qr"))
