"""Plugin instances and the links of their channels to events."""

from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webmacs.core import clock
from webmacs.core.db import Base, Tenant
from webmacs.core.trail import UNAUDITED
from webmacs.features.accounts.models import User
from webmacs.features.events.models import Event

SILENT_AFTER = timedelta(seconds=90)  # the agent reports every 30 s


class PluginInstance(Tenant, Base):
    """A configured copy of a driver. `reported_status` is what the agent said last, at `reported_on`."""

    __tablename__ = "plugin_instances"
    __table_args__ = (UniqueConstraint("organization_id", "instance_name"),)

    plugin_id: Mapped[str] = mapped_column(String(100))
    instance_name: Mapped[str] = mapped_column(String(255))
    demo_mode: Mapped[bool]
    enabled: Mapped[bool]
    config_json: Mapped[str | None] = mapped_column(Text)
    reported_status: Mapped[str] = mapped_column(String(20), default="inactive", info=UNAUDITED)
    reported_on: Mapped[datetime | None] = mapped_column(info=UNAUDITED)
    error_message: Mapped[str | None] = mapped_column(Text, info=UNAUDITED)
    created_on: Mapped[datetime]
    updated_on: Mapped[datetime] = mapped_column(info=UNAUDITED)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))

    user: Mapped[User | None] = relationship(lazy="joined")
    channel_mappings: Mapped[list["ChannelMapping"]] = relationship(
        lazy="selectin", order_by="ChannelMapping.id", passive_deletes=True, back_populates="instance"
    )

    @property
    def status(self) -> str:
        """The reported status; inactive when disabled or when the agent has been silent."""
        if not self.enabled or self.reported_on is None or clock.now() - self.reported_on > SILENT_AFTER:
            return "inactive"
        return self.reported_status

    @property
    def user_public_id(self) -> str | None:
        """Who created it; null for WebMACS itself and for users that are gone."""
        return self.user.public_id if self.user else None


class ChannelMapping(Base):
    """One channel of an instance, linked to an event or not. `made_event`: the instance created that event itself."""

    __tablename__ = "channel_mappings"
    __table_args__ = (UniqueConstraint("plugin_instance_id", "channel_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(100), unique=True)
    plugin_instance_id: Mapped[int] = mapped_column(ForeignKey("plugin_instances.id", ondelete="CASCADE"))
    channel_id: Mapped[str] = mapped_column(String(100))
    channel_name: Mapped[str] = mapped_column(String(255))
    direction: Mapped[str] = mapped_column(String(20))
    unit: Mapped[str] = mapped_column(String(50))
    event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id", ondelete="SET NULL"), index=True)
    made_event: Mapped[bool] = mapped_column(default=False)
    created_on: Mapped[datetime]

    instance: Mapped[PluginInstance] = relationship(back_populates="channel_mappings")
    event: Mapped[Event | None] = relationship(lazy="joined")

    @property
    def event_public_id(self) -> str | None:
        """The linked event."""
        return self.event.public_id if self.event else None
