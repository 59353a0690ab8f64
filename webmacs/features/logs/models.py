"""Log entries."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webmacs.core.db import Base, Tenant
from webmacs.features.accounts.models import User


class LogEntry(Tenant, Base):
    """One sentence in the log book."""

    __tablename__ = "log_entries"
    __unaudited__ = "the log book tells for itself, and is written with what is told anyway"
    __table_args__ = (Index("ix_log_entries_organization_id_created_on", "organization_id", "created_on"),)

    content: Mapped[str] = mapped_column(String(500))
    logging_type: Mapped[str] = mapped_column(String(20))
    status_type: Mapped[str] = mapped_column(String(20))
    created_on: Mapped[datetime]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))

    user: Mapped[User | None] = relationship(lazy="joined")

    @property
    def user_public_id(self) -> str | None:
        """Who wrote it; null for WebMACS itself and for users that are gone."""
        return self.user.public_id if self.user else None
