"""What a user can prove besides the password, and the steps that are under way."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webmacs.core.db import Base
from webmacs.core.trail import UNAUDITED


class Authenticator(Base):
    """The authenticator app of a user (TOTP); it counts once a first code has confirmed it."""

    __tablename__ = "authenticators"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    sealed_secret: Mapped[str] = mapped_column(String(255))
    created_on: Mapped[datetime]
    confirmed_on: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(
        BigInteger, default=0, info=UNAUDITED
    )  # of the last code: it and earlier ones are spent


class Passkey(Base):
    """A device or key store that proves its user; ids and keys are base64url."""

    __tablename__ = "passkeys"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(100), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    rp_id: Mapped[str] = mapped_column(String(255))  # the host name it was made for: it works nowhere else
    credential_id: Mapped[str] = mapped_column(String(1400), unique=True)
    public_key: Mapped[str] = mapped_column(String(4000))
    sign_count: Mapped[int] = mapped_column(BigInteger, info=UNAUDITED)
    created_on: Mapped[datetime]
    last_used_at: Mapped[datetime | None] = mapped_column(info=UNAUDITED)


class RecoveryCode(Base):
    """One of the codes for the day on which everything else is lost; only its mark is kept."""

    __tablename__ = "recovery_codes"
    __table_args__ = (UniqueConstraint("user_id", "mark"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    mark: Mapped[str] = mapped_column(String(64))
    used_on: Mapped[datetime | None]


class Step(Base):
    """Something begun that must be finished soon, by the same browser: it alone has what `handle` is the hash of.

    `purpose` says what; it proves nothing by itself and is recognised nowhere else.
    """

    __tablename__ = "factor_steps"
    __unaudited__ = "steps under way for some minutes; what they lead to is told"
    __table_args__ = (UniqueConstraint("purpose", "handle"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    purpose: Mapped[str] = mapped_column(String(20))
    handle: Mapped[str] = mapped_column(String(64))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    challenge: Mapped[str] = mapped_column(String(100))
    attempts: Mapped[int] = mapped_column(default=0)
    expires_on: Mapped[datetime] = mapped_column(index=True)
