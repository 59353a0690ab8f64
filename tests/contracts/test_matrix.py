"""Every route × everybody: what the declaration of the route says is what happens, whoever asks and with whatever."""

from datetime import timedelta

import pytest
import time_machine

from tests.make import NOON, Api, Lab, Person
from webmacs.core import clock
from webmacs.core.identity import Scope
from webmacs.core.permissions import SCOPES, Access, Can, allows, covers
from webmacs.web.arrival import LIMITED

from .bodies import body_for
from .world import Route, declared, nothing, one_of_each

REFUSED = (401, 403)


def _ask(api: Api, route: Route, named: dict[str, str], known: dict[str, str]):
    """Send a request that fits; its ids name nothing, so that it changes nothing that is there."""
    body = None if route.edge.body is None else body_for(route.edge.body, known)
    return api.send(route.method, route.path(named), body)


def _may(who: Person, route: Route) -> bool:
    return not isinstance(route.edge.can, Can) or allows(who.actor, route.edge.can)


def _is_harmless(route: Route) -> bool:
    """Whether nothing happens when it is allowed: it only shows something, or its thing is not there."""
    return not route.is_unsafe or route.has_ids


@pytest.fixture
def cast(lab: Lab, ada, oscar, vera, eve) -> dict[str, Person]:
    return {"admin": ada, "operator": oscar, "viewer": vera, "admin elsewhere": eve}


def test_a_role_opens_what_is_declared_for_it_and_nothing_else(app, lab, cast):
    known, wrong = one_of_each(lab, cast["admin"]), []
    for name, who in cast.items():
        api = Api(app, lab.token(who)[1])
        for route in declared(app):
            if _may(who, route) and not _is_harmless(route):
                continue
            status = _ask(api, route, nothing(), known).status_code
            fits = status not in REFUSED if _may(who, route) else status == 403
            if not fits:
                wrong.append((name, route.name, status))
    assert wrong == []


def test_a_credential_that_ended_opens_nothing(app, lab, ada):
    known, wrong = one_of_each(lab, ada), []
    revoked = lab.token(ada)
    with time_machine.travel(NOON, tick=False):
        expired = lab.token(ada, expires_at=NOON + timedelta(minutes=1))
    assert clock.now() > NOON + timedelta(minutes=1)
    Api(app, ada.bearer).delete(f"/api/v1/tokens/{revoked[0].public_id}")
    for name, secret in (("expired", expired[1]), ("revoked", revoked[1]), ("made up", "wm_" + "x" * 64)):
        api = Api(app, secret)
        for route in declared(app):
            status = _ask(api, route, nothing(), known).status_code
            fits = status != 401 if route.edge.can is Access.PUBLIC else status in (401, 303)
            # signing in answers 401 to what is not right in the body, whoever asks
            if not fits and not route.name.endswith(("/login", "/auth/refresh")):
                wrong.append((name, route.name, status))
    assert wrong == []


@pytest.mark.parametrize("scope", list(Scope))
def test_a_scope_opens_what_it_covers_and_nothing_else(app, lab, ada, scope):
    known, wrong = one_of_each(lab, ada), []
    api = Api(app, lab.token(ada, scopes=[scope])[1])
    for route in declared(app):
        covered = not isinstance(route.edge.can, Can) or covers(frozenset({scope}), route.edge.can)
        if covered and not _is_harmless(route):
            continue
        status = _ask(api, route, nothing(), known).status_code
        if (status in REFUSED) is covered:
            wrong.append((route.name, status))
    assert wrong == []


def test_a_token_for_some_channels_opens_what_keeps_to_channels_and_nothing_else(app, lab, ada):
    known, wrong = one_of_each(lab, ada), []
    api = Api(app, lab.token(ada, events=[known["event"]])[1])
    for route in declared(app):
        is_open = route.edge.by_channel or route.edge.can is Access.PUBLIC
        if is_open and not _is_harmless(route):
            continue
        answer = _ask(api, route, nothing(), known)
        is_limited = answer.status_code == 403 and LIMITED in answer.get_data(as_text=True)
        if is_limited is is_open:
            wrong.append((route.name, answer.status_code))
    assert wrong == []


def test_a_token_for_some_channels_shows_nothing_of_the_others(app, lab, ada):
    mine, other = one_of_each(lab, ada), one_of_each(lab, ada, 2)
    api, shown = Api(app, lab.token(ada, events=[mine["event"]])[1]), []
    for route in declared(app):
        if route.edge.by_channel and not route.is_unsafe:
            answer = api.get(route.path(other))
            shown += [
                (route.name, kind) for kind in ("event", "datapoint") if other[kind] in _said(answer, other[kind])
            ]
    assert shown == []


def _said(answer, public_id: str) -> str:
    """What an answer tells, but for the words that repeat what was asked."""
    return answer.get_data(as_text=True).replace(f"'{public_id}' not found", "")


def test_every_permission_belongs_to_one_scope():
    assert sorted(can.name for covered in SCOPES.values() for can in covered) == sorted(can.name for can in Can)
