"""Housekeeping in the background."""

from webmacs.api import idempotency
from webmacs.core.db import transaction
from webmacs.features.accounts import operations
from webmacs.features.factors import operations as factors


def tidy() -> None:
    """Delete logins that ended long ago and answers that nobody retries any more."""
    with transaction():
        operations.forget_expired()
        factors.forget_expired()
        idempotency.forget_old()
