"""Requests for a new password."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from webmacs.core.db import Base


class Reset(Base):
    """Somebody who forgot their password asked for a link, or an administrator made one for them.

    Who asks types an address; whose it is, if anybody's, is found by the job that writes the mail, so that asking takes
    the same time for all. A person may belong to several organizations: a request belongs to none.
    """

    __tablename__ = "resets"
    __unaudited__ = "anybody may ask; the password that is changed then is told"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(100), unique=True)
    email: Mapped[str] = mapped_column(String(255))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    code_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    created_on: Mapped[datetime]
    expires_on: Mapped[datetime]
    ended_on: Mapped[datetime | None]
