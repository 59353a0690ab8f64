"""What happened to invitations."""

from dataclasses import dataclass

from webmacs.core.facts import Fact


@dataclass(frozen=True)
class UserInvited(Fact):
    """Somebody was invited into the organization."""

    user_id: int | None  # who invites
    username: str
    email: str
    role: str


@dataclass(frozen=True)
class UserJoined(Fact):
    """Somebody accepted an invitation."""

    user_id: int
    username: str
    role: str
