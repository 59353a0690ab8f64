"""What may be done, and by which role: one enum and one table. Routes declare, operations check."""

from enum import Enum

from webmacs.core.errors import Forbidden, Unauthenticated
from webmacs.core.identity import Actor, Role, Scope


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
    MANAGE_SELF = "change one's own account, sessions and API tokens"
    MANAGE_ORGANIZATIONS = "create and rename organizations, and enter each of them"
    READ_AUDIT = "read the audit trail: who changed what, and what was refused"
    MANAGE_RETENTION = "say how long measurements are kept, and release what is on hold"


class Access(Enum):
    """Declarations for routes that need no permission."""

    PUBLIC = "anybody"
    SIGNED_IN = "anybody who is signed in"


VIEWER = frozenset({Can.READ, Can.MANAGE_SELF})
OPERATOR = VIEWER | {
    Can.MANAGE_CHANNELS,
    Can.RECORD,
    Can.DELETE_DATAPOINTS,
    Can.CONTROL,
    Can.RUN_EXPERIMENTS,
    Can.WRITE_LOGS,
    Can.REPORT_PLUGINS,
}
ADMIN = OPERATOR | {Can.MANAGE_PLUGINS, Can.MANAGE_USERS, Can.READ_AUDIT, Can.MANAGE_RETENTION}
INSTALLATION_ADMIN = ADMIN | {Can.MANAGE_ORGANIZATIONS}

GRANTS: dict[Role, frozenset[Can]] = {Role.VIEWER: VIEWER, Role.OPERATOR: OPERATOR, Role.ADMIN: ADMIN}

# what a token that is limited to a scope may do, if its owner may
SCOPES: dict[Scope, frozenset[Can]] = {
    Scope.READ: frozenset({Can.READ}),
    Scope.INGEST: frozenset({Can.RECORD, Can.REPORT_PLUGINS}),
    Scope.WRITE: frozenset({Can.MANAGE_CHANNELS, Can.DELETE_DATAPOINTS, Can.RUN_EXPERIMENTS, Can.WRITE_LOGS}),
    Scope.CONTROL: frozenset({Can.CONTROL}),
    Scope.ACCOUNT: frozenset({Can.MANAGE_SELF}),
    Scope.ADMIN_USERS: frozenset({Can.MANAGE_USERS}),
    Scope.ADMIN_PLUGINS: frozenset({Can.MANAGE_PLUGINS}),
    Scope.ADMIN_RETENTION: frozenset({Can.MANAGE_RETENTION}),
    Scope.ADMIN_AUDIT: frozenset({Can.READ_AUDIT}),
    Scope.ADMIN_ORGANIZATIONS: frozenset({Can.MANAGE_ORGANIZATIONS}),
}
SCOPE_OF: dict[Can, Scope] = {can: scope for scope, covered in SCOPES.items() for can in covered}

# who may change these can see them
SEEING = frozenset({Scope.WRITE, Scope.CONTROL, Scope.ADMIN_PLUGINS, Scope.ADMIN_RETENTION})


def covers(scopes: frozenset[Scope], permission: Can) -> bool:
    """Whether a token that is limited to `scopes` may use the permission."""
    return SCOPE_OF[permission] in scopes or (permission is Can.READ and not SEEING.isdisjoint(scopes))


def rights(actor: Actor) -> frozenset[Can]:
    """What the actor's role grants, whatever the credential in use is limited to."""
    if actor.is_anonymous:
        return frozenset()
    return INSTALLATION_ADMIN if actor.is_installation_admin else GRANTS[actor.role]


def allows(actor: Actor, permission: Can) -> bool:
    """Whether the actor's role grants the permission and the credential in use covers it. Nobody anonymous may."""
    return permission in rights(actor) and (actor.scopes is None or covers(actor.scopes, permission))


def authorize(actor: Actor, permission: Can | Access) -> None:
    """The first line of every operation. Raises `Unauthenticated` or `Forbidden`."""
    if permission is Access.PUBLIC:
        return
    if actor.is_anonymous:
        raise Unauthenticated("Authentication required.")
    if not isinstance(permission, Can) or allows(actor, permission):
        return
    if permission in rights(actor):
        raise Forbidden(f"This API token does not cover the scope '{SCOPE_OF[permission]}'.")
    if permission is Can.MANAGE_ORGANIZATIONS:
        raise Forbidden("Installation administrator privileges required.")
    weakest = Role.OPERATOR if permission in OPERATOR else Role.ADMIN
    raise Forbidden(f"{weakest.value.capitalize()} privileges required.")
