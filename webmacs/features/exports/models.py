"""Exports: which values somebody asked for as a file, and what became of it."""

import json
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from webmacs.core.db import Base
from webmacs.core.work import Work


class Export(Work, Base):
    """One file of values. What it is to hold is kept as it was asked for and looked up when it is written.

    `event_public_ids` is JSON, None for every channel. `rows`, `bytes` and `sha256` describe the finished file, so that
    anybody can check that it is whole.
    """

    __tablename__ = "exports"

    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    format: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(255))
    event_public_ids: Mapped[str | None] = mapped_column(Text)
    experiment_public_id: Mapped[str | None] = mapped_column(String(100))
    start: Mapped[datetime | None]
    stop: Mapped[datetime | None]
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))

    @property
    def has_file(self) -> bool:
        """Whether there is something to download."""
        return self.state == "done"

    @property
    def download_url(self) -> str | None:
        """Where the finished file is."""
        return f"/api/v1/exports/{self.public_id}/file" if self.has_file else None

    @property
    def channels(self) -> int | None:
        """How many channels were chosen; None for all."""
        return None if self.event_public_ids is None else len(json.loads(self.event_public_ids))
