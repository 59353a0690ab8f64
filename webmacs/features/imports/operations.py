"""Every change to imports."""

from sqlalchemy import select

from webmacs.core import clock
from webmacs.core.db import db
from webmacs.core.work import OPEN
from webmacs.features.imports import queries
from webmacs.features.imports.models import Import
from webmacs.gateways import files


def expire() -> None:
    """Forget uploads that nobody went on with."""
    over = select(Import).where(Import.expires_on < clock.now(), Import.state.not_in(OPEN))
    for found in db.session.scalars(over).all():
        files.remove(queries.file_of(found))
        found.expires_on = None
        if found.state in ("uploaded", "checked"):
            found.state = "expired"
    files.tidy(queries.FOLDER)
