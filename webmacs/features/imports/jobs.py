"""Imports: work in the background."""

from webmacs.core.db import transaction
from webmacs.features.imports import operations


def sweep() -> None:
    """Delete the files whose time is over."""
    with transaction():
        operations.expire()
