"""What happened to datapoints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webmacs.core.facts import Fact


@dataclass(frozen=True)
class DatapointsRecorded(Fact):
    """A batch was recorded: one fact for all of it; of a very large one it tells each channel's newest value.

    `rows` are (event id, microseconds, value); `names` tells the public id of each event id in it, at least.
    """

    rows: Sequence[tuple[int, int, float]]
    names: Mapping[int, str]
