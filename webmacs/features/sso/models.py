"""Identities at providers, which logins they opened, and what is put aside for some seconds while Redis is away."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webmacs.core.db import Base
from webmacs.features.accounts.models import User


class Identity(Base):
    """Who a user is at a provider: the issuer and the subject there, which no renaming changes."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"), UniqueConstraint("user_id", "issuer"))

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(100), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(255))
    provider_name: Mapped[str] = mapped_column(String(255))
    linked_on: Mapped[datetime]

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class SsoLogin(Base):
    """What we know about a login that an identity opened: the session there, and the token that ends it there."""

    __tablename__ = "sso_logins"
    __unaudited__ = "what the provider knows about a login, which is told itself"

    login_id: Mapped[int] = mapped_column(ForeignKey("logins.id", ondelete="CASCADE"), primary_key=True)
    identity_id: Mapped[int] = mapped_column(ForeignKey("identities.id", ondelete="CASCADE"), index=True)
    provider_key: Mapped[str] = mapped_column(String(32))
    sid: Mapped[str | None] = mapped_column(String(255), index=True)
    id_token: Mapped[str] = mapped_column(Text)  # sealed

    identity: Mapped[Identity] = relationship(lazy="joined", innerjoin=True)


class PutAside(Base):
    """Something for one use within some seconds: a one-time code's ticket, or the mark that something was used."""

    __tablename__ = "sso_put_aside"
    __unaudited__ = "codes that count for a minute; what they lead to is told"

    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    content: Mapped[str] = mapped_column(Text)
    expires_on: Mapped[datetime] = mapped_column(index=True)
