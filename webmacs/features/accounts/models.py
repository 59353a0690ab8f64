"""Organizations, users, their memberships, logins (browser and JWT alike) and the claim of a new installation."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webmacs.core.db import Base
from webmacs.core.identity import Role
from webmacs.core.trail import UNAUDITED


class Organization(Base):
    """Who owns everything else. A single laboratory has one and never sees the word."""

    __tablename__ = "organizations"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(100), unique=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    created_on: Mapped[datetime]


class User(Base):
    """A person, or a service account of ours such as the agent's (`is_service`), which has no password.

    What somebody may do stands in their memberships; an installation administrator may enter every organization.
    """

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(100), unique=True)
    email: Mapped[str] = mapped_column(String(255), unique=True)
    username: Mapped[str] = mapped_column(String(50), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(255))
    is_service: Mapped[bool] = mapped_column(default=False)
    is_installation_admin: Mapped[bool] = mapped_column(default=False)
    sso_provider: Mapped[str | None] = mapped_column(String(255))
    registered_on: Mapped[datetime]
    disabled_on: Mapped[datetime | None]
    last_login_at: Mapped[datetime | None] = mapped_column(info=UNAUDITED)


class Membership(Base):
    """Somebody's role in an organization, and how the API shows a user: seen from one organization."""

    __tablename__ = "memberships"
    __table_args__ = (UniqueConstraint("user_id", "organization_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"), index=True)
    role: Mapped[str] = mapped_column(String(20), default=Role.VIEWER)
    joined_on: Mapped[datetime]

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)
    organization: Mapped[Organization] = relationship()

    @property
    def public_id(self) -> str:
        """The user's public id."""
        return self.user.public_id

    @property
    def email(self) -> str:
        """The user's address."""
        return self.user.email

    @property
    def username(self) -> str:
        """The user's name."""
        return self.user.username

    @property
    def admin(self) -> bool:
        """Whether this is an administrator; kept for clients of the original API."""
        return self.role == Role.ADMIN

    @property
    def is_installation_admin(self) -> bool:
        """Whether the user may enter every organization."""
        return self.user.is_installation_admin

    @property
    def is_disabled(self) -> bool:
        """Whether the user may not sign in."""
        return self.user.disabled_on is not None

    @property
    def registered_on(self) -> datetime:
        """When the user was made."""
        return self.user.registered_on

    @property
    def created_on(self) -> datetime:
        """The name that the documented API uses for `registered_on`."""
        return self.user.registered_on

    @property
    def last_login_at(self) -> datetime | None:
        """When the user signed in last."""
        return self.user.last_login_at

    @property
    def sso_provider(self) -> str | None:
        """The provider whose account is linked."""
        return self.user.sso_provider


class Login(Base):
    """One sign-in, of a browser (id in its cookie) or of an API client (the `jti` of its JWT).

    `organization_id` is where it acts now.
    """

    __tablename__ = "logins"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(100), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
    via: Mapped[str] = mapped_column(String(20))
    device: Mapped[str] = mapped_column(String(255))
    created_on: Mapped[datetime]
    last_used_at: Mapped[datetime] = mapped_column(info=UNAUDITED)
    expires_on: Mapped[datetime] = mapped_column(index=True)
    revoked_on: Mapped[datetime | None]

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class Claim(Base):
    """The one-time code with which a new installation is claimed; the row is gone once it was used."""

    __tablename__ = "claims"

    id: Mapped[int] = mapped_column(primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64))
