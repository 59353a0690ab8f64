"""The keeping of datapoints in the background."""

from webmacs.core.db import db, driver, transaction
from webmacs.features.datapoints import store


def make_ahead() -> None:
    """Make the room that the coming weeks need."""
    with transaction(write=False):
        store.of(db.engine.dialect.name).make_ahead(driver())
