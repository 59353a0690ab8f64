"""Channel definitions (events)."""

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webmacs.core.db import Base, Tenant
from webmacs.features.accounts.models import User


class Event(Tenant, Base):
    """One channel: what its values mean and between which limits they lie.

    `is_accepting` is false while the channel is linked to plugin channels and none of their instances is enabled.
    `interval_ms` is how often its source sends, when known; a value twice as old is stale.
    """

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("organization_id", "name"),
        {"sqlite_autoincrement": True},  # an id is never given again: datapoints name it without a foreign key
    )

    name: Mapped[str] = mapped_column(String(255))
    type: Mapped[str] = mapped_column(String(20))
    unit: Mapped[str] = mapped_column(String(255))
    min_value: Mapped[float]
    max_value: Mapped[float]
    is_accepting: Mapped[bool] = mapped_column(default=True)
    interval_ms: Mapped[int | None]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))

    user: Mapped[User | None] = relationship(lazy="joined")

    @property
    def short_name(self) -> str:
        """The name within its source: what follows the source's own name and an en dash."""
        return self.name.rpartition(" – ")[2]

    @property
    def is_switch(self) -> bool:
        """Whether an output has only two states, off (its lowest value) and on."""
        return self.max_value - self.min_value <= 1

    @property
    def user_public_id(self) -> str | None:
        """Who defined it; null when WebMACS did or the user is gone."""
        return self.user.public_id if self.user else None
