"""What happened to experiments."""

from dataclasses import dataclass

from webmacs.core.facts import Fact


@dataclass(frozen=True)
class ExperimentStarted(Fact):
    """A run began."""

    public_id: str
    name: str
    user_id: int | None


@dataclass(frozen=True)
class ExperimentStopped(Fact):
    """A run ended."""

    public_id: str
    name: str
    user_id: int | None


@dataclass(frozen=True)
class ExperimentHeld(Fact):
    """The data of a run was put on hold, or (`is_held` false) released."""

    public_id: str
    name: str
    user_id: int | None
    is_held: bool
