"""Every change to exports."""

from sqlalchemy import select, update

from webmacs.core import clock
from webmacs.core.db import db
from webmacs.features.exports import queries
from webmacs.features.exports.models import Export
from webmacs.gateways import files


def expire() -> None:
    """Delete the files of exports whose time is over; the row stays and tells what there was."""
    over = select(Export).where(Export.state == "done", Export.expires_on < clock.now())
    for export in db.session.scalars(over).all():
        files.remove(queries.file_of(export))
        db.session.execute(update(Export).where(Export.id == export.id).values(state="expired"))
    files.tidy(queries.FOLDER)
