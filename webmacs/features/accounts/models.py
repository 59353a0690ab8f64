"""Organizations, users, logins (browser and JWT alike), API tokens and the claim of a new installation."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webmacs.core.db import Base, Tenant
from webmacs.core.identity import Role


class Organization(Base):
    """Who owns everything else. A single laboratory has one and never sees the word."""

    __tablename__ = "organizations"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(100), unique=True)
    name: Mapped[str] = mapped_column(String(255))
    created_on: Mapped[datetime]


class User(Tenant, Base):
    """A person, or a service account of ours such as the agent's (`is_service`), which has no password."""

    __tablename__ = "users"

    email: Mapped[str] = mapped_column(String(255), unique=True)
    username: Mapped[str] = mapped_column(String(50), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(20), default=Role.VIEWER)
    is_service: Mapped[bool] = mapped_column(default=False)
    sso_provider: Mapped[str | None] = mapped_column(String(255))
    registered_on: Mapped[datetime]

    @property
    def created_on(self) -> datetime:
        """The name that the documented API uses for `registered_on`."""
        return self.registered_on

    @property
    def admin(self) -> bool:
        """Whether this is an administrator; kept for clients of the original API."""
        return self.role == Role.ADMIN


class Login(Base):
    """One sign-in, of a browser (id in its cookie) or of an API client (the `jti` of its JWT)."""

    __tablename__ = "logins"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(100), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    via: Mapped[str] = mapped_column(String(20))
    device: Mapped[str] = mapped_column(String(255))
    created_on: Mapped[datetime]
    last_used_at: Mapped[datetime]
    expires_on: Mapped[datetime] = mapped_column(index=True)
    revoked_on: Mapped[datetime | None]

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class ApiToken(Base):
    """A long-lived credential for scripts and the agent; only its hash is kept."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(100), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(255))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)

    @property
    def user_public_id(self) -> str:
        """The owner's public id."""
        return self.user.public_id


class Claim(Base):
    """The one-time code with which a new installation is claimed; the row is gone once it was used."""

    __tablename__ = "claims"

    id: Mapped[int] = mapped_column(primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64))
