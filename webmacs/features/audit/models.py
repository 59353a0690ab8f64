"""The entries of the audit trail and the heads of their chains. Triggers of the database refuse to change an entry."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webmacs.core.db import Base

INSTALLATION = 0  # the chain of what belongs to no organization


class AuditEntry(Base):
    """One entry. `chain` is the organization's internal key, or INSTALLATION; `number` counts within it from 1.

    It names people and things by text, not by reference: it must outlive them unchanged. `old` and `new` are JSON,
    field → value; `hash` seals everything but `id` together with the hash of the entry before.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (UniqueConstraint("chain", "number"), Index("ix_audit_entries_chain_id", "chain", "id"))
    __unaudited__ = "it is the audit trail"

    id: Mapped[int] = mapped_column(primary_key=True)
    chain: Mapped[int]
    number: Mapped[int] = mapped_column(BigInteger)
    public_id: Mapped[str] = mapped_column(String(100), unique=True)
    occurred_on: Mapped[datetime]
    user_public_id: Mapped[str | None] = mapped_column(String(100))
    username: Mapped[str] = mapped_column(String(255))
    via: Mapped[str] = mapped_column(String(20))
    session_public_id: Mapped[str | None] = mapped_column(String(100))
    verb: Mapped[str] = mapped_column(String(100))
    action: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column(String(50))
    object_public_id: Mapped[str | None] = mapped_column(String(100), index=True)
    object_name: Mapped[str | None] = mapped_column(Text)
    old: Mapped[str] = mapped_column(Text)
    new: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(String(100))
    request_id: Mapped[str | None] = mapped_column(String(100))
    outcome: Mapped[str] = mapped_column(String(20))
    sentence: Mapped[str | None] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(String(64))

    @property
    def is_of_installation(self) -> bool:
        """Whether it belongs to no organization."""
        return self.chain == INSTALLATION

    @property
    def old_values(self) -> dict[str, Any]:
        """Field → value before."""
        return dict(json.loads(self.old))

    @property
    def new_values(self) -> dict[str, Any]:
        """Field → value after."""
        return dict(json.loads(self.new))


class AuditChain(Base):
    """The head of a chain: how many entries it has and the hash of the last one, sealed, so that a cut tail shows."""

    __tablename__ = "audit_chains"
    __unaudited__ = "it is the audit trail"

    chain: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    count: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(String(64))
    seal: Mapped[str] = mapped_column(String(64))
