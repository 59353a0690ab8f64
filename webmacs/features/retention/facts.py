"""What happened in retention."""

from dataclasses import dataclass

from webmacs.core.facts import Fact


@dataclass(frozen=True)
class RetentionRequested(Fact):
    """A run waits to be carried out."""

    public_id: str
