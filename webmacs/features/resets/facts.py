"""What happened to forgotten passwords."""

from dataclasses import dataclass

from webmacs.core.facts import Fact


@dataclass(frozen=True)
class PasswordReset(Fact):
    """Somebody used a one-time link to choose a new password; told in each of their organizations."""

    user_id: int
    username: str
