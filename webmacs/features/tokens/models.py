"""API tokens."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webmacs.core.db import Base
from webmacs.core.trail import UNAUDITED
from webmacs.features.accounts.models import User


class ApiToken(Base):
    """A long-lived credential for scripts and the agent; only its hash is kept.

    It acts in one organization. `scopes`, `networks` (CIDR), `events` (public ids of channels) and
    `requests_per_minute` limit it further; None means: not at all.
    """

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(100), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"), index=True)
    name: Mapped[str] = mapped_column(String(255))
    scopes: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    networks: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    events: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    requests_per_minute: Mapped[int | None]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None] = mapped_column(info=UNAUDITED)
    expires_at: Mapped[datetime | None]

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)

    @property
    def user_public_id(self) -> str:
        """The owner's public id."""
        return self.user.public_id
