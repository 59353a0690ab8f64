"""What the mails about forgotten passwords say, and tidying up."""

from webmacs.core.db import transaction
from webmacs.features.accounts import queries as users
from webmacs.features.resets import operations
from webmacs.gateways.mail import Letter
from webmacs.web import letters

PATH = "/reset-password"


def letter(public_id: str) -> Letter | None:
    """The mail with a new code; None when nobody is to get it."""
    written = operations.write_code(public_id)
    if written is None:
        return None
    user, code = written
    return letters.letter(user.email, "reset", name=user.username, link=letters.link(PATH, code), code=code)


def notice(public_id: str) -> Letter | None:
    """The mail that tells somebody that their password was changed; None when they are gone."""
    user = users.by_public_id(public_id)
    return None if user is None else letters.letter(user.email, "password_changed", name=user.username)


def tidy() -> None:
    """Delete requests that ended long ago."""
    with transaction():
        operations.forget_old()
