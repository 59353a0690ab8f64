"""Imports: a file that was uploaded, how its columns are to be read, and what became of its rows."""

import json
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from webmacs.core.db import Base
from webmacs.core.trail import UNAUDITED
from webmacs.core.work import Work


class Import(Work, Base):
    """One file of history.

    `mapping` and `problems` are JSON. While `is_check` is set its job only reads and counts and records nothing.
    """

    __tablename__ = "imports"

    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    filename: Mapped[str] = mapped_column(String(255))
    format: Mapped[str] = mapped_column(String(20))
    bytes: Mapped[int] = mapped_column(BigInteger)
    mapping: Mapped[str | None] = mapped_column(Text)
    is_check: Mapped[bool] = mapped_column(default=False)
    accepted: Mapped[int] = mapped_column(BigInteger, default=0, info=UNAUDITED)
    rejected: Mapped[int] = mapped_column(BigInteger, default=0, info=UNAUDITED)
    problems: Mapped[str | None] = mapped_column(Text, info=UNAUDITED)

    @property
    def is_ready(self) -> bool:
        """Whether somebody may say how it is to be read, check it and start it."""
        return self.state in ("uploaded", "checked")

    @property
    def listed(self) -> list[dict[str, Any]]:
        """The bad rows that are listed."""
        return [] if self.problems is None else list(json.loads(self.problems))
