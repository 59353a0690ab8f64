"""Who acts. Every operation and query takes an `Actor` first; below the edge nothing else knows a user."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple

Via = Literal["browser", "jwt", "token", "system", "anonymous"]


class Role(StrEnum):
    """The built-in roles, weakest last."""

    ADMIN = "admin"
    OPERATOR = "operator"
    VIEWER = "viewer"


class Scope(StrEnum):
    """What an API token can be limited to; permissions.py says which rights each one covers."""

    READ = "read"
    INGEST = "ingest"
    WRITE = "write"
    CONTROL = "control"
    ACCOUNT = "account"
    ADMIN_USERS = "admin-users"
    ADMIN_PLUGINS = "admin-plugins"
    ADMIN_RETENTION = "admin-retention"
    ADMIN_AUDIT = "admin-audit"
    ADMIN_ORGANIZATIONS = "admin-organizations"


class Place(NamedTuple):
    """An organization that somebody may enter."""

    public_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, for which organization, with which role, and how they came.

    `session_id` is the public id of the login or API token in use (None for the system). A token can be limited to
    `scopes` and to the channels whose public ids are `events` (None: as much as its owner may).
    """

    user_id: int | None
    public_id: str | None
    username: str
    organization_id: int
    role: Role
    via: Via
    session_id: str | None = None
    scopes: frozenset[Scope] | None = None
    events: frozenset[str] | None = None
    is_installation_admin: bool = False
    requests_per_minute: int | None = None  # what the token may send at most; None: as much as everybody
    workplaces: tuple[Place, ...] = ()  # where the user may go, the present one first; not all when they are many

    @property
    def is_anonymous(self) -> bool:
        """True when nobody is signed in."""
        return self.via == "anonymous"


class Recognised(NamedTuple):
    """Whom a credential stands for, until when at the latest, and whether its use is due to be noted."""

    actor: Actor
    ends_on: datetime | None
    use_is_due: bool
    networks: tuple[str, ...] | None = None  # the only ones from where it counts; None: from everywhere


ANONYMOUS = Actor(None, None, "", 0, Role.VIEWER, "anonymous")


def system(organization_id: int) -> Actor:
    """The actor of everything that WebMACS does by itself in one organization."""
    return Actor(None, None, "system", organization_id, Role.ADMIN, "system")
