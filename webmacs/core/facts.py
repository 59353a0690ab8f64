"""What happened. An operation emits a fact; `wiring.py` says what follows from it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fact:
    """Base of all facts: frozen, past tense, ids instead of objects."""

    organization_id: int


@dataclass(frozen=True)
class Wiring:
    """Fact type → reactions. `inside` runs in the transaction of the cause, `after` once it is committed."""

    inside: dict[type[Fact], tuple[Callable[[Any], None], ...]]
    after: dict[type[Fact], tuple[Callable[[Any], None], ...]]


class Reactions:
    """The wiring in force; the factory installs it once."""

    def __init__(self) -> None:
        self._wiring = Wiring({}, {})

    def install(self, wiring: Wiring) -> None:
        """Replace the wiring."""
        self._wiring = wiring

    def inside(self, fact: Fact) -> None:
        """Run the reactions that belong to the cause's transaction; what they raise undoes the cause."""
        for reaction in self._wiring.inside.get(type(fact), ()):
            reaction(fact)

    def after(self, fact: Fact) -> None:
        """Run the reactions that follow the commit. The cause stands, so a failing one is logged and never raised."""
        for reaction in self._wiring.after.get(type(fact), ()):
            try:
                reaction(fact)
            except Exception:
                log.exception("a reaction to %s failed", type(fact).__name__)


reactions = Reactions()
