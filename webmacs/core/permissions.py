"""What may be done, and by which role: one enum and one table. Routes declare, operations check."""

from enum import Enum

from webmacs.core.errors import Forbidden, Unauthenticated
from webmacs.core.identity import Actor, Role


class Can(Enum):
    """Every permission; the value is the sentence that documentation and pages show."""

    READ = "see measurements, experiments, channels, plugins and logs"
    MANAGE_CHANNELS = "create, change and delete channels"
    RECORD = "push measurements"
    DELETE_DATAPOINTS = "delete single measurements"
    CONTROL = "operate actuators and set ranges"
    RUN_EXPERIMENTS = "start, rename, stop and delete experiments"
    WRITE_LOGS = "write log entries and mark them read"
    REPORT_PLUGINS = "report the state of plugin instances"
    MANAGE_PLUGINS = "create, configure and delete plugin instances"
    MANAGE_USERS = "manage users"
    MANAGE_RETENTION = "say how long measurements are kept, and release what is on hold"


class Access(Enum):
    """Declarations for routes that need no permission."""

    PUBLIC = "anybody"
    SIGNED_IN = "anybody who is signed in"


VIEWER = frozenset({Can.READ})
OPERATOR = VIEWER | {
    Can.MANAGE_CHANNELS,
    Can.RECORD,
    Can.DELETE_DATAPOINTS,
    Can.CONTROL,
    Can.RUN_EXPERIMENTS,
    Can.WRITE_LOGS,
    Can.REPORT_PLUGINS,
}
ADMIN = OPERATOR | {Can.MANAGE_PLUGINS, Can.MANAGE_USERS, Can.MANAGE_RETENTION}

GRANTS: dict[Role, frozenset[Can]] = {Role.VIEWER: VIEWER, Role.OPERATOR: OPERATOR, Role.ADMIN: ADMIN}


def allows(actor: Actor, permission: Can) -> bool:
    """Whether the actor's role grants the permission. Nobody anonymous may anything."""
    return not actor.is_anonymous and permission in GRANTS[actor.role]


def authorize(actor: Actor, permission: Can | Access) -> None:
    """The first line of every operation. Raises `Unauthenticated` or `Forbidden`."""
    if permission is Access.PUBLIC:
        return
    if actor.is_anonymous:
        raise Unauthenticated("Authentication required.")
    if isinstance(permission, Can) and not allows(actor, permission):
        weakest = Role.OPERATOR if permission in OPERATOR else Role.ADMIN
        raise Forbidden(f"{weakest.value.capitalize()} privileges required.")
