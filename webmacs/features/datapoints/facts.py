"""What happened to datapoints."""

from dataclasses import dataclass
from typing import NamedTuple

from webmacs.core.facts import Fact


class Point(NamedTuple):
    """One recorded value; `ts` in microseconds since 1970 UTC."""

    event_id: int
    event_public_id: str
    ts: int
    value: float


@dataclass(frozen=True)
class DatapointsRecorded(Fact):
    """A batch was recorded: one fact for all of it."""

    points: tuple[Point, ...]
