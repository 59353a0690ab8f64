"""What happened to exports."""

from dataclasses import dataclass

from webmacs.core.facts import Fact


@dataclass(frozen=True)
class ExportRequested(Fact):
    """Somebody asked for a file that is to be written in the background."""

    public_id: str
