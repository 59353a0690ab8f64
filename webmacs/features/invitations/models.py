"""Invitations."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webmacs.core.db import Base, Tenant
from webmacs.features.accounts.models import Organization, User


class Invitation(Tenant, Base):
    """Somebody may become a member, once and for some days; only the hash of the code is kept.

    There is no hash before the mail with the code was written.
    """

    __tablename__ = "invitations"

    email: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(20))
    code_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_on: Mapped[datetime]
    expires_on: Mapped[datetime]
    ended_on: Mapped[datetime | None]

    organization: Mapped[Organization] = relationship(lazy="joined", innerjoin=True)
    inviter: Mapped[User | None] = relationship(lazy="joined")
