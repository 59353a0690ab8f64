"""Refresh tokens."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webmacs.core.db import Base
from webmacs.features.accounts.models import Login


class RefreshToken(Base):
    """One link of a login's chain of refresh tokens; the used ones stay, so that a stolen one gives itself away."""

    __tablename__ = "refresh_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    login_id: Mapped[int] = mapped_column(ForeignKey("logins.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_on: Mapped[datetime]
    expires_on: Mapped[datetime]
    used_on: Mapped[datetime | None]

    login: Mapped[Login] = relationship(lazy="joined", innerjoin=True)
