"""What is kept how long, and what retention has deleted."""

from sqlalchemy import BigInteger, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from webmacs.core.db import Base
from webmacs.core.trail import UNAUDITED
from webmacs.core.work import Work


class RetentionPolicy(Base):
    """What an organization keeps. Days; null is for ever."""

    __tablename__ = "retention_policies"

    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    raw_days: Mapped[int | None]
    rollup_days: Mapped[int | None]


class ChannelRetention(Base):
    """What is kept of one channel, in place of its organization's policy."""

    __tablename__ = "channel_retentions"

    event_id: Mapped[int] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"), index=True)
    raw_days: Mapped[int | None]
    rollup_days: Mapped[int | None]


class RetentionRun(Work, Base):
    """One run, and what it deleted: `rows_done` points and `rollups`; `detail` is JSON, channel's name → points."""

    __tablename__ = "retention_runs"

    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    rollups: Mapped[int] = mapped_column(BigInteger, default=0, info=UNAUDITED)
    detail: Mapped[str | None] = mapped_column(Text, info=UNAUDITED)
