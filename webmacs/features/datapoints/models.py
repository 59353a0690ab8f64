"""The datapoint table, the latest value of each channel, and the spans of time that datapoints belong to."""

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Index, Integer, SmallInteger, String, Table, false
from sqlalchemy.orm import Mapped, mapped_column

from webmacs.core.db import Base

# Narrow on purpose: no random id, no text, no foreign key (EventDeleted brings the deletion), one clustered index.
datapoints = Table(
    "datapoints",
    Base.metadata,
    Column("event_id", Integer, primary_key=True, autoincrement=False),
    Column("ts", BigInteger, primary_key=True, autoincrement=False),  # microseconds since 1970 UTC
    Column("value", Double, nullable=False),
    Column("quality", SmallInteger, nullable=False, server_default="0"),  # 0 is good
    sqlite_with_rowid=False,
    info={"unaudited": "measurements; a single one that is deleted is told by its operation"},
)

# Written together with the points, so that reading the newest costs channels, not rows.
latest_datapoints = Table(
    "latest_datapoints",
    Base.metadata,
    Column("event_id", Integer, primary_key=True, autoincrement=False),
    Column("ts", BigInteger, nullable=False),
    Column("value", Double, nullable=False),
    info={"unaudited": "follows from the measurements"},
)

# What the points of one stretch of time amount to, so that long windows cost what is shown. Always computed from the
# points themselves, never added up on the way in: sending a batch twice or deleting a point cannot make them wrong.
rollups = Table(
    "rollups",
    Base.metadata,
    Column("event_id", Integer, primary_key=True, autoincrement=False),
    Column("width", BigInteger, primary_key=True, autoincrement=False),  # microseconds: one of decide.WIDTHS
    Column("start", BigInteger, primary_key=True, autoincrement=False),  # a multiple of the width
    Column("points", BigInteger, nullable=False),
    Column("total", Double, nullable=False),
    Column("low", Double, nullable=False),
    Column("low_ts", BigInteger, nullable=False),
    Column("high", Double, nullable=False),
    Column("high_ts", BigInteger, nullable=False),
    sqlite_with_rowid=False,
    info={"unaudited": "follows from the measurements"},
)

# One row: a point before `open_from` that comes now is late and marks its block; rollups are whole before
# `whole_until`.
rollup_state = Table(
    "rollup_state",
    Base.metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("open_from", BigInteger, nullable=False),
    Column("whole_until", BigInteger, nullable=False),
    Column("turn", BigInteger, nullable=False, server_default="0"),  # counts commits: who was overtaken gives up
    info={"unaudited": "bookkeeping of the rollups"},
)

# Before this moment the points of the channel were let go (a multiple of decide.BLOCK); their rollups stay.
raw_from = Table(
    "raw_from",
    Base.metadata,
    Column("event_id", Integer, primary_key=True, autoincrement=False),
    Column("ts", BigInteger, nullable=False),
    info={"unaudited": "bookkeeping of the retention, whose runs are told"},
)

# Blocks of time whose rollups do not tell the truth any more. `marks` counts, so that one set meanwhile is not lost.
stale_blocks = Table(
    "stale_blocks",
    Base.metadata,
    Column("event_id", Integer, primary_key=True, autoincrement=False),
    Column("block", BigInteger, primary_key=True, autoincrement=False),  # ts // decide.BLOCK
    Column("marks", Integer, nullable=False),
    info={"unaudited": "bookkeeping of the rollups"},
)

span_events = Table(
    "span_events",
    Base.metadata,
    Column("span_id", Integer, ForeignKey("spans.id", ondelete="CASCADE"), primary_key=True),
    Column("event_id", Integer, ForeignKey("events.id", ondelete="CASCADE"), primary_key=True),
)


class Span(Base):
    """A stretch of time that datapoints belong to, opened and closed by a higher feature (an experiment).

    Both ends are inclusive, in microseconds; an open span has no end. Unless `is_scoped` it covers every channel.
    """

    __tablename__ = "spans"
    __audited_as__ = "experiment"  # whose times they are, and whose public id
    __table_args__ = (Index("ix_spans_organization_id_started_us", "organization_id", "started_us"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(100), unique=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
    started_us: Mapped[int] = mapped_column(BigInteger)
    stopped_us: Mapped[int | None] = mapped_column(BigInteger)
    is_scoped: Mapped[bool] = mapped_column(default=False)
    is_held: Mapped[bool] = mapped_column(default=False, server_default=false())  # nothing deletes its datapoints
