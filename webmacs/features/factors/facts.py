"""What happened to second factors."""

from dataclasses import dataclass

from webmacs.core.facts import Fact


@dataclass(frozen=True)
class FactorsChanged(Fact):
    """A user signs in differently from now on; only the login in use (`session_id`, None: none) stays."""

    user_id: int
    session_id: str | None
    sentence: str
