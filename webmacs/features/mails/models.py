"""Mails on their way."""

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from webmacs.core.db import Base


class Mail(Base):
    """A mail that is to be sent, of the installation rather than of an organization.

    `kind` and the public id of what it is `about` are all that is kept: its writer finds the address and makes the
    one-time code when it is sent, so that no secret waits in the database.
    """

    __tablename__ = "mails"
    __unaudited__ = "mails follow from what is told"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(100), unique=True)
    kind: Mapped[str] = mapped_column(String(40))
    about: Mapped[str] = mapped_column(String(100), index=True)
    state: Mapped[str] = mapped_column(String(20), index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    created_on: Mapped[datetime]
    due_on: Mapped[datetime]
    claimed_by: Mapped[str | None] = mapped_column(String(100))
    finished_on: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
