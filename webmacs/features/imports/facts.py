"""What happened to imports."""

from dataclasses import dataclass

from webmacs.core.facts import Fact


@dataclass(frozen=True)
class ImportRequested(Fact):
    """A file is to be checked or recorded in the background."""

    public_id: str
