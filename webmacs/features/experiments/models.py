"""Experiments."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webmacs.core import clock
from webmacs.core.db import Base, Tenant
from webmacs.features.accounts.models import User
from webmacs.features.datapoints.models import Span


class Experiment(Tenant, Base):
    """A named run. When it ran, and over which channels, is its span; the two share their public id."""

    __tablename__ = "experiments"
    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    name: Mapped[str] = mapped_column(String(255))
    span_id: Mapped[int] = mapped_column(ForeignKey("spans.id"), unique=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))

    span: Mapped[Span] = relationship(lazy="joined", innerjoin=True)
    user: Mapped[User | None] = relationship(lazy="joined")

    @property
    def started_on(self) -> datetime:
        """When it was started."""
        return clock.from_micros(self.span.started_us)

    @property
    def stopped_on(self) -> datetime | None:
        """When it was stopped; None while it runs."""
        return None if self.span.stopped_us is None else clock.from_micros(self.span.stopped_us)

    @property
    def is_running(self) -> bool:
        """Whether it still runs."""
        return self.span.stopped_us is None

    @property
    def is_held(self) -> bool:
        """Whether nothing may delete its datapoints."""
        return self.span.is_held

    @property
    def user_public_id(self) -> str | None:
        """Who started it; null when the user is gone."""
        return self.user.public_id if self.user else None
