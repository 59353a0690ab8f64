"""The rail on the left: where one can go, by right."""

from typing import NamedTuple

from webmacs.core.identity import Actor
from webmacs.core.permissions import Can, allows


class Entry(NamedTuple):
    """One place of the rail."""

    label: str
    url: str
    icon: str
    current: bool


PLACES = (
    ("Overview", "/", "speedometer2", Can.READ),
    ("Channels", "/channels", "sliders", Can.READ),
    ("Experiments", "/experiments", "clipboard-data", Can.READ),
    ("Data", "/data", "table", Can.READ),
    ("Exports", "/exports", "download", Can.READ),
    ("Logs", "/logs", "journal-text", Can.READ),
    ("Plugins", "/plugins", "plug", Can.READ),
    ("Users", "/users", "people", Can.MANAGE_USERS),
    ("Audit", "/audit", "shield-lock", Can.READ_AUDIT),
    ("Retention", "/retention", "hourglass-split", Can.MANAGE_RETENTION),
)


def entries(actor: Actor, path: str) -> list[Entry]:
    """The places that the actor may see; the one that holds `path` is current."""
    return [
        Entry(label, url, icon, path == url or (url != "/" and path.startswith(f"{url}/")))
        for label, url, icon, right in PLACES
        if allows(actor, right)
    ]
