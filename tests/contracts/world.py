"""Every route of the application, and a laboratory with one of each thing to try them on."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flask import Flask

from tests.make import NOON, Lab, Person
from webmacs.core import ids
from webmacs.features.datapoints import queries
from webmacs.web.arrival import SAFE_METHODS, Edge

# The beginning of a path → what its `public_id` names. The longest match counts.
KINDS = {
    "/api/v1/users": "user",
    "/api/v1/tokens": "token",
    "/api/v1/events": "event",
    "/api/v1/datapoints": "datapoint",
    "/api/v1/experiments": "experiment",
    "/api/v1/exports": "export",
    "/api/v1/imports": "import",
    "/api/v1/logging": "log",
    "/api/v1/plugins": "instance",
    "/api/v1/retention/events": "event",
    "/api/v1/audit": "entry",
    "/audit": "entry",
    "/api/v1/invitations": "invitation",
    "/invitations": "invitation",
    "/users": "user",
    "/organizations": "organization",
    "/channels": "event",
    "/control": "event",
    "/profile/sso": "identity",
    "/experiments": "experiment",
    "/exports": "export",
    "/imports": "import",
    "/logs": "log",
    "/plugins": "instance",
    "/api/v1/organizations": "organization",
    "/profile/second-factor/passkeys": "passkey",
    "/profile/sessions": "login",
    "/retention/channels": "event",
    "/profile/tokens": "token",
}
NAMED = {"mapping_id": "mapping", "session_id": "login"}  # a parameter that says itself what it names
PLACEHOLDER = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
PREFIXES = {
    "user": "usr",
    "organization": "org",
    "token": "tok",
    "event": "evt",
    "experiment": "exp",
    "export": "xpt",
    "import": "imp",
    "log": "log",
    "instance": "plg",
    "login": "ses",
    "invitation": "inv",
    "passkey": "key",
    "mapping": "chn",
    "entry": "aud",
    "identity": "idn",
}


@dataclass(frozen=True)
class Route:
    """One method of one rule."""

    method: str
    rule: str
    edge: Edge | None  # None: the static files

    @property
    def name(self) -> str:
        """How the lists of approved.py call it."""
        return f"{self.method} {self.rule}"

    @property
    def is_unsafe(self) -> bool:
        """Whether it may change something."""
        return self.method not in SAFE_METHODS

    @property
    def has_ids(self) -> bool:
        """Whether it is about one thing."""
        return self.edge is not None and "<" in self.rule

    def path(self, named: Mapping[str, str]) -> str:
        """The path, with the ids of `named` (kind → public id) filled in."""
        return PLACEHOLDER.sub(lambda match: named[self.kind(match[1])], self.rule)

    def kind(self, parameter: str) -> str:
        """What a parameter of the path names."""
        if parameter in NAMED:
            return NAMED[parameter]
        fitting = [prefix for prefix in KINDS if self.rule.startswith(prefix)]
        assert fitting, f"KINDS in tests/contracts/world.py does not say what <{parameter}> of {self.rule} is"
        return KINDS[max(fitting, key=len)]


def routes(app: Flask) -> Iterator[Route]:
    """Every route, one by one; the automatic HEAD and OPTIONS are left out."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        edge = getattr(app.view_functions[rule.endpoint], "__edge__", None)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield Route(method, rule.rule, edge)


def declared(app: Flask) -> list[Route]:
    """Every route that is not a static file."""
    return [route for route in routes(app) if route.edge is not None]


def nothing() -> dict[str, str]:
    """Ids of the right form that name nothing, kind → public id."""
    named = {kind: ids.new_id(prefix) for kind, prefix in PREFIXES.items()}
    return named | {"datapoint": queries.public_id(named["event"], 1_700_000_000_000_000)}


def one_of_each(lab: Lab, who: Person, number: int = 1) -> dict[str, str]:
    """Make one of each thing; kind → public id."""
    event = lab.event(who, name=f"Furnace {number}", type="actuator")
    lab.record(who, event, 1.0, 2.0, at=NOON)
    experiment = lab.experiment(who, f"Sintering {number}", started=NOON)
    instance = lab.instance(who, instance_name=f"Rig {number}")
    mapping = lab.mapping(who, instance, event)
    token, _ = lab.token(who, f"Script {number}")
    colleague = lab.person(f"{who.username}.colleague.{number}", organization=lab_of(who))
    return {
        "user": colleague.public_id,
        "organization": lab.organization_id_of(who),
        "login": who.session,
        "passkey": lab.passkey(who, f"Key {number}").public_id,
        "invitation": lab.invitation(who, f"guest{number}@{who.username}.example")[0].public_id,
        "token": token.public_id,
        "identity": lab.identity(who).public_id,
        "event": event.public_id,
        "datapoint": queries.public_id(event.public_id, 1_000_000 * int(NOON.timestamp())),
        "experiment": experiment.public_id,
        "instance": instance.public_id,
        "mapping": mapping.public_id,
        "export": lab.export(who, event_public_ids=[event.public_id]).public_id,
        "import": lab.upload(who, f"time,value\n2026-11-20T12:00:0{number % 10},1.5\n").public_id,
        "log": lab.log(who, f"Entry {number}").public_id,
        "entry": lab.last_entry(who).public_id,
    }


def lab_of(who: Person) -> str:
    """The name of the organization of one of the cast."""
    return "Elsewhere" if who.username == "eve" else "Laboratory"
