"""What happened to accounts."""

from dataclasses import dataclass

from webmacs.core.facts import Fact


@dataclass(frozen=True)
class UserSignedIn(Fact):
    """Somebody proved who they are."""

    user_id: int
    username: str
    way: str = ""  # what followed the password, or stood in its place


@dataclass(frozen=True)
class UserDisabled(Fact):
    """Somebody may not sign in any more."""

    user_id: int
    username: str


@dataclass(frozen=True)
class AccessEnded(Fact):
    """Logins or tokens of a user are no longer valid; open streams must close."""

    user_id: int
