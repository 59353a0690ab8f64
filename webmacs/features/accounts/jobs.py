"""Housekeeping in the background."""

from webmacs.api import idempotency
from webmacs.core.db import transaction
from webmacs.features.accounts import operations


def tidy() -> None:
    """Delete logins that ended long ago and answers that nobody retries any more."""
    with transaction():
        operations.forget_expired()
        idempotency.forget_old()
